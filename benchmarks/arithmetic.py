"""What fixed-point arithmetic costs: NMI with integer membranes and int8 synapses, and with floats.

    python -m benchmarks.arithmetic

The same seeds, so that differences are paired. Floats run on the reference engine.
"""

import numpy as np
from scipy import stats
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.hardware import save
from deepstdp import STDPClustering

N_SEEDS = 10


def problems() -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """Features, labels and K."""
    x, y = load_digits(return_X_y=True)
    few = make_blobs([500] + [50] * 9, 8, cluster_std=3.0, random_state=0)
    whitened = PCA(32, whiten=True, random_state=0).fit_transform(x)
    return {
        "digits, K = 10": (x, y, 10),
        "digits, whitened, K = 30": (whitened, y, 30),
        "blobs, 10 to 1, K = 10": (*few, 10),
    }


def main() -> None:
    """Measure, print and save."""
    results = {}
    for name, (x, y, k) in problems().items():
        nmi = {
            arithmetic: np.array(
                [
                    normalized_mutual_info_score(
                        y,
                        STDPClustering(
                            k, arithmetic=arithmetic, max_iter=3, random_state=seed
                        ).fit_predict(x),
                    )
                    for seed in range(N_SEEDS)
                ]
            )
            for arithmetic in ("fixed", "float")
        }
        difference = nmi["fixed"] - nmi["float"]
        half = stats.t.ppf(0.975, N_SEEDS - 1) * stats.sem(difference)
        results[name] = {key: value.tolist() for key, value in nmi.items()}
        results[name] |= {"difference": float(difference.mean()), "ci95": float(half)}
        print(
            f"{name}: fixed {nmi['fixed'].mean():.3f}, float {nmi['float'].mean():.3f}, "
            f"difference {difference.mean():+.4f} +- {half:.4f}"
        )
    save("arithmetic", results)


if __name__ == "__main__":
    main()
