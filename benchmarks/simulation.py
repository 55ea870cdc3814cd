"""How fast a spiking network is simulated, against a loop over steps and layers in PyTorch.

    python -m benchmarks.simulation RUN

Converts the ConvNet of a run and presents its validation images for T = 32 steps: by
``SpikingNetwork`` and by the loop that a PyTorch user would write, which convolves the spikes of
every layer anew in each step. Spike counts of both are compared; with ``weight_bits`` 8 they must
be the same.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.hardware import save
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.inputs import Constant
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.source import Source
from deepstdp.run_dir import RunDir

BATCH = 100
"""Images that the loop presents at once."""

ROUNDS = 3


def by_loop(network: SpikingNetwork, images: Tensor, n_steps: int) -> Tensor:
    """Counts of the last layer: for each step, for each layer, convolve, add, compare, reset."""
    parts = []
    for batch in images.split(BATCH):
        start = network.code.encode(batch, n_steps)
        assert isinstance(start, Constant)
        membranes = [
            batch.new_full((len(batch), *layer.connection.out_shape), layer.start)
            for layer in network.layers
        ]
        counts = torch.zeros_like(membranes[-1])
        for _ in range(n_steps):
            x = start.values
            for i, layer in enumerate(network.layers):
                membranes[i] += layer.connection(x)
                x = (membranes[i] >= layer.threshold).float()
                membranes[i] -= layer.threshold * x
            counts += x
        parts.append(counts)
    return torch.cat(parts)


def by_network(network: SpikingNetwork, images: Tensor, n_steps: int) -> Tensor:
    """The same by what ``convert`` uses."""
    parts = [
        answers[-1].sum(dim=1, dtype=torch.int64) for _, answers in network.run(images, n_steps)
    ]
    return torch.cat(parts).permute(0, 3, 1, 2).float()


def seconds(work: Callable[[], Tensor]) -> float:
    """Median of some rounds, after one that compiles; a GPU is waited for."""
    work().sum().item()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work().sum().item()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated seconds, against a loop.")
    parser.add_argument("run", type=Path, help="a finished run")
    args = parser.parse_args()
    source = Source.open(RunDir.open(args.run))
    config = ConversionConfig(weight_bits=8)
    network, _ = source.convert(config)
    images, n_steps = source.shown_val(), config.timesteps
    with torch.no_grad():
        ours, theirs = (run(network, images, n_steps) for run in (by_network, by_loop))
        if not torch.equal(ours, theirs):
            raise SystemExit(f"{int((ours != theirs).sum())} spike counts differ")
        fast = seconds(lambda: by_network(network, images, n_steps))
        slow = seconds(lambda: by_loop(network, images, n_steps))
    results = {
        "n_images": len(images),
        "shape": list(images.shape[1:]),
        "backbone": source.config.backbone.name,
        "timesteps": n_steps,
        "n_threads": torch.get_num_threads(),
        "seconds": fast,
        "seconds_loop": slow,
        "ratio": slow / fast,
    }
    print(results)
    save("simulation", results)


if __name__ == "__main__":
    main()
