"""How fast the spiking layer learns, beside a plain loop, k-means, and what the machine could do.

Everything in one run: on a shared machine only ratios mean something.

    python -m benchmarks.stdp_engine

CPU threads are set by this script. With a CUDA device the GPU's lines are measured too.
"""

import os
import time
from collections.abc import Callable

for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)  # settings that would slow k-means down

import numba  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from benchmarks.hardware import save  # noqa: E402
from deepstdp import STDPClustering  # noqa: E402
from deepstdp.clustering.lloyd import lloyd  # noqa: E402
from deepstdp.clustering.stdp.samples import Samples  # noqa: E402
from deepstdp.spiking import neurons  # noqa: E402
from deepstdp.spiking.engines import make_engine  # noqa: E402
from deepstdp.spiking.layer import circuit  # noqa: E402

P, K, T = 256, 100, 25
N_CPU, N_GPU, K_GPU = 5_000, 100_000, 200
BATCH_SIZES = (250, 500, 1000)


def unit_vectors(n: int, device: str = "cpu") -> torch.Tensor:
    """Features as Deep-STDP's reduction gives them."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, P, generator=generator)
    return torch.nn.functional.normalize(x, dim=1).to(device)


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest repeat, after one that warms up."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def set_threads(n: int) -> None:
    """For numba and torch."""
    numba.set_num_threads(n)
    torch.set_num_threads(n)


def fitted(x: torch.Tensor, k: int, **settings: object) -> tuple[STDPClustering, Samples]:
    """An estimator after a first pass."""
    estimator = STDPClustering(k, encoding="direct", n_timesteps=T, **settings).partial_fit(x)
    return estimator, Samples(x)


def plain_loop(x: torch.Tensor, synapses: torch.Tensor, threshold: torch.Tensor) -> None:
    """What one writes first: a loop over steps, with a dense product in each."""
    rates = torch.cat([x.clamp(min=0), (-x).clamp(min=0)], dim=1) * 3
    generator = torch.Generator().manual_seed(0)
    for start in range(0, len(x), 64):
        r = rates[start : start + 64]
        v, trace = torch.zeros(len(r), K), torch.zeros_like(r)
        for _ in range(T):
            spikes = (torch.rand(r.shape, generator=generator) < r).float()
            trace = 0.8 * trace + 0.2 * spikes
            v = neurons.integrate(v, spikes @ synapses.T, 0.95)
            winner = neurons.winner_take_all(v, threshold)
            fired = torch.nn.functional.one_hot(winner.clamp(min=0), K) * (winner >= 0)[:, None]
            n = fired.sum(dim=0)[:, None]
            mean = fired.float().T @ trace / n.clamp(min=1)
            synapses += (1 - 0.98**n) * (mean - synapses)
            synapses /= synapses.norm(dim=1, keepdim=True)
            v = neurons.hard_inhibition(v, winner)


def learning_rate(batch_size: int) -> float:
    """Samples per second that the fast engine learns on the CPU."""
    estimator, samples = fitted(unit_vectors(N_CPU), K, batch_size=batch_size)
    return N_CPU / best_of(9, lambda: estimator.layer_.learn(samples))


def on_one_core() -> dict[str, float]:
    """Samples per second, and the ratios."""
    x = unit_vectors(512)
    rates = {f"cpu engine, batches of {b}": learning_rate(b) for b in BATCH_SIZES}
    reference, few = fitted(x[:500], K, engine="reference")
    rates["reference engine"] = 500 / best_of(3, lambda: reference.layer_.learn(few))
    w = reference.layer_.learnt.synapses.float().clone()
    threshold = torch.full((K,), 8.0)
    rates["plain torch loop"] = len(x) / best_of(3, lambda: plain_loop(x, w, threshold))
    return rates


def against_kmeans() -> dict[str, float]:
    """Seconds for one learning and one assignment pass, and for 20 Lloyd iterations."""
    x = unit_vectors(N_CPU)
    estimator, samples = fitted(x, K)

    def both() -> None:
        estimator.layer_.learn(samples)
        estimator.predict(x)

    array = x.numpy()
    start = x[torch.randperm(N_CPU, generator=torch.Generator().manual_seed(0))[:K]]
    settings = {"n_init": 1, "max_iter": 20, "tol": 0, "init": start.numpy()}
    with threadpool_limits(numba.get_num_threads()):
        seconds = {
            "STDP, learning and assignment pass": best_of(7, both),
            "scikit-learn k-means, 20 iterations": best_of(
                7, lambda: KMeans(K, **settings).fit(array)
            ),
            "our k-means, 20 iterations": best_of(5, lambda: lloyd(x, start, 20)),
        }
        try:
            import faiss
        except ImportError:
            print("faiss is not installed: not compared")
            return seconds
        faiss.omp_set_num_threads(numba.get_num_threads())
        kmeans = faiss.Kmeans(P, K, niter=20, seed=0, max_points_per_centroid=N_CPU)
        seconds["faiss k-means, 20 iterations"] = best_of(7, lambda: kmeans.train(array))
    return seconds


def limits() -> dict[str, float]:
    """What a sample costs in events and bits, and what the machine can do of each."""
    x = unit_vectors(500)
    estimator, samples = fitted(x, K)
    layer = estimator.layer_
    engine = make_engine("cpu", torch.device("cpu"), fixed_point=True)
    inputs = samples.inputs(torch.arange(500), layer.receptors, 0)
    response = engine.present(inputs, circuit(layer.learnt, T, layer.config), collect=True)
    spikes = int(response.n_input_spikes) / 500
    a, b = np.ones(1 << 12, np.int16), np.ones(1 << 12, np.int16)
    adds = 1e4 * len(a) / best_of(5, lambda: _add(a, b, 10_000))
    return {
        "input spikes a sample": spikes,
        "output spikes a sample": int(response.counts.sum()) / 500,
        "synaptic events a sample": spikes * K,
        "random bits a sample": P * 32 * 16,
        "int16 additions a second in cache": adds,
        "samples a second if additions were all": adds / (spikes * 128),
    }


@numba.njit
def _add(a: np.ndarray, b: np.ndarray, n: int) -> None:
    for _ in range(n):
        for i in range(len(a)):
            a[i] += b[i]


def on_gpu() -> dict[str, float] | str:
    """Samples per second learnt, by batch size; N = 100,000, K = 200."""
    if not torch.cuda.is_available():
        return "not yet measured: no CUDA device"
    x = unit_vectors(N_GPU, "cuda")
    rates = {}
    for batch_size in (512, 2048, 8192):
        estimator, samples = fitted(x, K_GPU, batch_size=batch_size)
        rates[f"cuda engine, batches of {batch_size}"] = N_GPU / best_of(
            5, lambda e=estimator, s=samples: e.layer_.learn(s)
        )
    # The product of currents: 32 steps, on and off channels, a multiplication and an addition.
    rates["int8 operations a second at the fastest"] = max(rates.values()) * 2 * 32 * 2 * P * K_GPU
    return rates


def main() -> None:
    """Measure, print and save."""
    results: dict[str, object] = {}
    for n_threads in range(1, min(2, numba.config.NUMBA_NUM_THREADS) + 1):
        set_threads(n_threads)
        results[f"seconds, {n_threads} thread(s)"] = against_kmeans()
        if n_threads == 1:
            results["samples/s learnt, one core"] = on_one_core()
            results["limits, one core"] = limits()
        else:
            results["samples/s learnt, two cores"] = {
                f"cpu engine, batches of {b}": learning_rate(b) for b in BATCH_SIZES
            }
    results["samples/s learnt, GPU"] = on_gpu()
    for title, values in results.items():
        print(f"\n{title}")
        for name, value in values.items() if isinstance(values, dict) else [(values, "")]:
            shown = f"{value:,.0f}" if isinstance(value, float) and value > 99 else value
            print(f"  {name:<42} {shown if not isinstance(shown, float) else f'{shown:.4f}':>16}")
    save("stdp_engine", results)


if __name__ == "__main__":
    main()
