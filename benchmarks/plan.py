"""Time, memory and network of an epoch at sizes that no one has run yet, from rates.

    python -m benchmarks.plan

Rates of one CPU core were measured here (docs/performance.md, docs/engine.md); those of a GPU and
of networks are assumptions, named as such, to be replaced when they are measured.
"""

from dataclasses import dataclass

P, D, T, HELD = 256, 4096, 25, 50_000
CHANNELS = 2 * P
FORWARD_MACS = 15.5e9
"""vgg15 on 224x224 images."""

CONVOLUTION_PARAMETERS, HIDDEN_PARAMETERS = 14.7e6, 25_088 * 4_096

# Assumed, not measured.
GPU_FLOPS = 400e12
"""bfloat16 training on an H100-class GPU, 40 % of its peak."""
GPU_INT8_OPS = 200e12
"""The STDP engine's products of spikes and synapses, 10 % of the peak."""
CORES_PER_GPU = 16
NVLINK, INFINIBAND = 300e9, 50e9
"""Bytes a second and GPU, within a machine and between machines."""

# Measured on one core of an AMD EPYC.
DECODED_PER_CORE = 500.0
"""JPEGs of 256x256, read, decoded and brought to size, a second."""
STDP_SAMPLES_PER_CORE = 2_500.0
"""Learnt a second at P = 256, K = 10,000, T = 25 by the cpu engine."""
ORDER_WORDS = 34
"""Memory of ``epoch_order`` and ``occurrence_keys``, in 8 bytes an image (N = 3 M, K = 10,000)."""


@dataclass(frozen=True)
class Plan:
    """A data set on some GPUs.

    Attributes:
        n: images.
        k: clusters.
        gpus: one process each.
        batch: images of a training step, all processes together.
        stdp_batch: samples that see the same synapses.
        link: bytes a second that an all-reduce gets.
    """

    n: float
    k: float
    gpus: int
    batch: int
    stdp_batch: int
    link: float

    def _all_reduce(self, n_bytes: float) -> float:
        """Seconds: a ring sends everything nearly twice."""
        return 2 * n_bytes * (self.gpus - 1) / self.gpus / self.link

    def seconds(self) -> dict[str, float]:
        """Of one epoch, by what it is spent on; where they overlap the largest counts."""
        parameters = CONVOLUTION_PARAMETERS + HIDDEN_PARAMETERS + D * self.k
        synapses = self.k * (CHANNELS + 2) * 8
        own = self.n / self.gpus
        return {
            "network: features and training": own * 2 * 4 * FORWARD_MACS / GPU_FLOPS,
            "decoding, twice an image": 2 * own / (CORES_PER_GPU * DECODED_PER_CORE),
            "gradients": self.n / self.batch * self._all_reduce(4 * parameters),
            "STDP: learning and labels": 2 * own * 2 * 32 * CHANNELS * self.k / GPU_INT8_OPS,
            "STDP: exchange of sums": self.n / self.stdp_batch * self._all_reduce(synapses),
            "STDP on the CPU cores instead": 2 * own / (CORES_PER_GPU * STDP_SAMPLES_PER_CORE),
        }

    def gigabytes(self) -> dict[str, float]:
        """Memory of a process beside weights and activations."""
        own = self.n / self.gpus
        return {
            "reduced features, own rows": own * P * 4 / 1e9,
            "full features of the held images": HELD / self.gpus * D * 4 / 1e9,
            "labels of all images": self.n * 8 / 1e9,
            "order of an epoch, at its peak": self.n * 8 * ORDER_WORDS / 1e9,
            "synapses, double and int8": self.k * CHANNELS * 9 / 1e9,
            "names of all images (host)": self.n * 90 / 1e9,
        }


PLANS = {
    "ImageNet-1k, K = 10,000, 8 GPUs": Plan(1.28e6, 1e4, 8, 2_048, 500, NVLINK),
    "100 M images, K = 10,000, 64 GPUs": Plan(1e8, 1e4, 64, 16_384, 500, INFINIBAND),
    "the same, STDP in batches of 8,192": Plan(1e8, 1e4, 64, 16_384, 8_192, INFINIBAND),
}


def main() -> None:
    """Print the tables."""
    for title, plan in PLANS.items():
        print(f"\n{title}")
        for name, value in plan.seconds().items():
            print(f"  {name:<40}{value:>10.1f} s")
        for name, value in plan.gigabytes().items():
            print(f"  {name:<40}{value:>10.2f} GB")


if __name__ == "__main__":
    main()
