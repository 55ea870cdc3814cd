"""Does the batch size decide what is learnt? NMI over batch sizes on one fixed problem.

    python -m benchmarks.batch_size

20 overlapping blobs of 1,000 samples, one pass, ten seeds. Writes a figure and a table.
"""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import make_blobs
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.hardware import FIGURES, save
from deepstdp import STDPClustering

BATCH_SIZES = (1, 16, 256, 2048)
N_SEEDS, N, P, K = 10, 20_000, 16, 20


def main() -> None:
    """Measure, draw and save."""
    x, y = make_blobs(N, P, centers=K, cluster_std=5.0, random_state=0)
    nmi = {
        b: [
            normalized_mutual_info_score(
                y, STDPClustering(K, batch_size=b, max_iter=1, random_state=seed).fit_predict(x)
            )
            for seed in range(N_SEEDS)
        ]
        for b in BATCH_SIZES
    }
    means = {b: float(np.mean(values)) for b, values in nmi.items()}
    deviation = float(np.mean([np.std(values, ddof=1) for values in nmi.values()]))
    spread = max(means.values()) - min(means.values())
    for b, values in nmi.items():
        print(f"B = {b:>4}: NMI {means[b]:.3f}, standard deviation {np.std(values, ddof=1):.3f}")
    print(f"spread of the means {spread:.4f} = {spread / deviation:.2f} standard deviations")
    draw(nmi)
    save("batch_size", {"nmi": nmi, "spread": spread, "standard_deviation": deviation})


def draw(nmi: dict[int, list[float]]) -> None:
    """Every run, and the mean of each batch size."""
    mpl.use("Agg")
    figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for b, values in nmi.items():
        axis.plot([b] * len(values), values, "o", color="tab:blue", alpha=0.4, markersize=5)
    axis.plot(
        list(nmi), [np.mean(values) for values in nmi.values()], "_", color="k", markersize=22
    )
    axis.set(xscale="log", xlabel="batch size", ylabel="NMI with the labels", ylim=(0.8, 1))
    axis.set_xticks(list(nmi), [str(b) for b in nmi])
    axis.set_title(
        f"{N:,} samples, K = {K}, one pass, {N_SEEDS} seeds; bars are means", fontsize=10
    )
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURES / "batch_size.png", dpi=150)


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    main()
