"""How time grows with samples, neurons, features and steps, and how much memory a large run takes.

    python -m benchmarks.scaling

One learning pass each; all CPU threads. The samples of the largest N are a memory map.
"""

import resource
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from benchmarks.hardware import FIGURES, save
from deepstdp import STDPClustering

BASE = {"n": 20_000, "k": 100, "p": 256, "t": 25}
AXES = {
    "n": (20_000, 100_000, 1_000_000),
    "k": (10, 100, 1_000, 10_000),
    "p": (32, 128, 256, 1_024),
    "t": (10, 25, 50, 100),
}
TITLES = {"n": "samples N", "k": "neurons K", "p": "features P", "t": "steps T"}
LARGEST = {"n": 1_000_000, "k": 10_000, "p": 1_024, "t": 25}


def seconds(folder: Path, n: int, k: int, p: int, t: int) -> float:
    """One learning pass over a memory map, after a pass that starts the layer."""
    path = folder / "x.npy"
    x = np.lib.format.open_memmap(path, "w+", np.float32, (n, p))
    rng = np.random.default_rng(0)
    for start in range(0, n, 50_000):
        part = rng.standard_normal((min(50_000, n - start), p), dtype=np.float32)
        x[start : start + 50_000] = part / np.linalg.norm(part, axis=1, keepdims=True)
    batch_size = 5_000 if k >= 10_000 else 500
    estimator = STDPClustering(k, n_timesteps=t, encoding="direct", batch_size=batch_size)
    estimator.partial_fit(x[: max(2 * batch_size, k)])
    samples = np.load(path, mmap_mode="r")
    start_time = time.perf_counter()
    estimator.partial_fit(samples)
    elapsed = time.perf_counter() - start_time
    path.unlink()
    return elapsed


def main() -> None:
    """Measure, draw and save."""
    curves: dict[str, dict[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for axis, values in AXES.items():
            curves[axis] = {}
            for value in values:
                curves[axis][value] = seconds(Path(folder), **(BASE | {axis: value}))
                print(f"{TITLES[axis]} = {value:>9,}: {curves[axis][value]:.2f} s", flush=True)
            if axis == "n":
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
                print(f"largest memory so far {memory:.2f} GiB")
        largest = seconds(Path(folder), **LARGEST)
    memory_largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{LARGEST}: {largest:.1f} s, {memory_largest:.2f} GiB")
    draw(curves)
    save(
        "scaling",
        {
            "base": BASE,
            "seconds": curves,
            "gib_at_largest_n": memory,
            "largest": LARGEST | {"seconds": largest, "gib": memory_largest},
        },
    )


def draw(curves: dict[str, dict[int, float]]) -> None:
    """One panel each, in double logarithm, with a line of slope one."""
    mpl.use("Agg")
    figure, axes = plt.subplots(1, len(curves), figsize=(11, 2.8), layout="constrained")
    for panel, (axis, curve) in zip(axes, curves.items(), strict=True):
        values, times = np.array(list(curve)), np.array(list(curve.values()))
        panel.plot(values, times[-1] * values / values[-1], ":", color="gray")
        panel.plot(values, times, "o-")
        panel.set(xscale="log", yscale="log", xlabel=TITLES[axis])
        panel.set_xticks(values, [f"{value:,}" for value in values], fontsize=7)
        ticks = (0.03, 0.1, 0.3, 1, 3, 10)
        panel.set_yticks(ticks, list(map(str, ticks)))
        panel.minorticks_off()
        panel.set_ylim(min(times) / 2, max(times) * 2)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("seconds a pass")
    figure.suptitle("one pass; dotted: proportional", fontsize=10)
    figure.savefig(FIGURES / "scaling.png", dpi=150)


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    main()
