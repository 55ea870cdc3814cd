"""Cluster a file of features with STDP, and with k-means to compare."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int64
from sklearn.cluster import KMeans

from deepstdp.clustering import STDPClustering
from deepstdp.data.feature_file import FeatureFile
from deepstdp.evaluation.cluster_quality import cluster_quality
from deepstdp.files import Record
from deepstdp.progress import Progress

Labels = Int64[np.ndarray, "n"]


def cluster_with_stdp(
    data: FeatureFile, estimator: STDPClustering, progress: Progress
) -> tuple[Labels, Record]:
    """Clusters, and their quality; ``estimator`` is fitted."""
    seed = int(estimator.random_state)
    clusters, quality = _timed(
        data, estimator.n_clusters, seed, estimator.follow(progress).fit_predict
    )
    if data.features.ndim == 2:  # spikes that are given have no other seed
        again = estimator.retest(data.features)
        quality["retest_agreement"] = float(np.mean(again == clusters))
    return clusters, quality | vars(estimator.health_)


def cluster_with_kmeans(data: FeatureFile, n_clusters: int, seed: int) -> tuple[Labels, Record]:
    """The same by scikit-learn's k-means, from one start."""
    kmeans = KMeans(n_clusters, n_init=1, random_state=seed)
    return _timed(data, n_clusters, seed, lambda x: kmeans.fit_predict(x).astype(np.int64))


def _timed(
    data: FeatureFile, n_clusters: int, seed: int, fit_predict: Callable[[Any], Labels]
) -> tuple[Labels, Record]:
    start = time.perf_counter()
    clusters = fit_predict(data.features)
    seconds = time.perf_counter() - start
    quality = cluster_quality(data.features, clusters, n_clusters, data.labels, seed)
    return clusters, quality | {"seconds": seconds}
