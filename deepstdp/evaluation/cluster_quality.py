"""How good a clustering of feature vectors is, with labels or without."""

import numpy as np
from jaxtyping import Int64, Shaped
from sklearn.metrics import silhouette_score

from deepstdp.evaluation.cluster_metrics import agreement_with_labels, cluster_sizes

_SILHOUETTE_SAMPLES = 2000
_CHUNK = 16_384


def explained_variance(
    features: Shaped[np.ndarray, "n p"], clusters: Int64[np.ndarray, "n"], n_clusters: int
) -> float:
    """1 - (squared distances to the clusters' means) / (squared distances to the mean).

    In chunks, so that the features may be a memory map.
    """
    sums = np.zeros((n_clusters, features.shape[1]))
    squares = 0.0
    # About a point among them, lest squares of an offset drown the variance.
    origin = np.asarray(features[:_CHUNK], dtype=np.float64).mean(axis=0)
    for start in range(0, len(features), _CHUNK):
        part = np.asarray(features[start : start + _CHUNK], dtype=np.float64) - origin
        np.add.at(sums, clusters[start : start + _CHUNK], part)
        squares += float(np.square(part).sum())
    counts = np.bincount(clusters, minlength=n_clusters)
    within = squares - float((np.square(sums).sum(axis=1) / np.maximum(counts, 1)).sum())
    total = squares - float(np.square(sums.sum(axis=0)).sum()) / len(features)
    return 1 - within / total if total > 0 else 0.0


def cluster_quality(
    features: Shaped[np.ndarray, "..."],
    clusters: Int64[np.ndarray, "n"],
    n_clusters: int,
    labels: Shaped[np.ndarray, "n"] | None,
    seed: int,
) -> dict[str, float]:
    """Sizes, compactness and separation, and agreement with labels where there are any.

    Args:
        features: (N, P); of spikes (N, T, D), only sizes and agreement are measured.
        clusters: of the samples.
        n_clusters: K.
        labels: of any kind.
        seed: of the subset on which the silhouette (Rousseeuw 1987) is measured.
    """
    quality = dict(cluster_sizes(clusters, n_clusters))
    if features.ndim == 2:
        quality["explained_variance"] = explained_variance(features, clusters, n_clusters)
        rng = np.random.default_rng(seed)
        some = np.sort(rng.permutation(len(features))[:_SILHOUETTE_SAMPLES])
        if 1 < len(np.unique(clusters[some])) < len(some):
            quality["silhouette"] = float(silhouette_score(features[some], clusters[some]))
    if labels is not None:
        quality |= agreement_with_labels(clusters, np.unique(labels, return_inverse=True)[1])
    return quality
