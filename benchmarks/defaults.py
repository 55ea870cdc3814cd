"""Do the defaults cluster as well as k-means? NMI with the labels, ten seeds, no parameter tuned.

    python -m benchmarks.defaults

k-means is scikit-learn's, from one k-means++ start. ``make slow`` holds the differences to -0.02.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.hardware import save
from deepstdp import STDPClustering

N_SEEDS = 10

Data = tuple[np.ndarray, np.ndarray]


def _whitened_digits(_: int) -> Data:
    x, y = load_digits(return_X_y=True)
    return PCA(32, whiten=True, random_state=0).fit_transform(x), y


def _blobs(sizes: int | list[int], p: int, k: int | None, std: float) -> Callable[[int], Data]:
    return lambda seed: make_blobs(sizes, p, centers=k, cluster_std=std, random_state=seed)


PROBLEMS: dict[str, tuple[Callable[[int], Data], int]] = {
    "digits, K = 10": (lambda _: load_digits(return_X_y=True), 10),
    "digits, K = 30": (lambda _: load_digits(return_X_y=True), 30),
    "digits, whitened, K = 30": (_whitened_digits, 30),
    "blobs, 2-D": (_blobs(2000, 2, 8, 1.0), 8),
    "blobs, 8-D": (_blobs(2000, 8, 10, 3.0), 10),
    "blobs, 2-D, 10 to 1": (_blobs([1000] * 2 + [100] * 4, 2, None, 1.0), 6),
    "blobs, 16-D, 10 to 1": (_blobs([1000] + [100] * 9, 16, None, 4.0), 10),
}


def nmi_of_both(name: str) -> tuple[np.ndarray, np.ndarray]:
    """NMI of k-means and of STDP, (seeds,) each."""
    make, k = PROBLEMS[name]
    pairs = []
    for seed in range(N_SEEDS):
        x, y = make(seed)
        theirs = KMeans(k, n_init=1, random_state=seed).fit_predict(x)
        ours = STDPClustering(k, random_state=seed).fit_predict(x)
        pairs.append([normalized_mutual_info_score(y, labels) for labels in (theirs, ours)])
    return tuple(np.array(pairs).T)


def main() -> None:
    """Measure, print and save."""
    results = {}
    for name in PROBLEMS:
        theirs, ours = nmi_of_both(name)
        half = float(stats.t.ppf(0.975, N_SEEDS - 1) * stats.sem(ours - theirs))
        difference = float(np.mean(ours - theirs))
        results[name] = {
            "kmeans": theirs.tolist(),
            "stdp": ours.tolist(),
            "difference": difference,
            "ci95": half,
        }
        print(
            f"{name:<26} k-means {theirs.mean():.3f}  STDP {ours.mean():.3f}  "
            f"difference {difference:+.3f} +- {half:.3f}"
        )
    save("defaults", results)


if __name__ == "__main__":
    main()
