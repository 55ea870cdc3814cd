"""Clusterers, all behind ``fit_predict(features) -> Assignment``."""

from typing import Any

from deepstdp.clustering.base import Assignment, Clusterer
from deepstdp.clustering.custom import CustomClusterer
from deepstdp.clustering.given_labels import GivenLabels
from deepstdp.clustering.kmeans import KMeans
from deepstdp.clustering.on_cpu import OnCPU
from deepstdp.clustering.random_labels import RandomLabels
from deepstdp.clustering.sinkhorn import Sinkhorn
from deepstdp.clustering.stdp import STDPClustering, STDPPseudoLabels
from deepstdp.config import ClusteringConfig
from deepstdp.imports import build
from deepstdp.processes import ALONE, Group
from deepstdp.progress import SILENT, Progress

__all__ = [
    "Assignment",
    "Clusterer",
    "GivenLabels",
    "OnCPU",
    "STDPClustering",
    "STDPPseudoLabels",
    "build_clusterer",
]


def build_clusterer(
    config: ClusteringConfig,
    seed: int,
    progress: Progress = SILENT,
    custom: Any = None,
    group: Group = ALONE,
) -> Clusterer | None:
    """The clusterer that the config names; None where there is nothing to cluster.

    Args:
        config: which one.
        seed: of its random numbers.
        progress: follows long clustering.
        custom: a clusterer of the user's own, in the place of the config's.
        group: the processes that share the samples.

    Raises:
        UserError: a ``class_path`` that is no clusterer.
    """
    k = config.n_clusters
    if custom is None and config.class_path is not None:
        custom = build(config.class_path, config.init_args)
    if custom is not None:
        return CustomClusterer(custom, k, group)
    match config.method:
        case "stdp":
            return STDPPseudoLabels(k, seed, config.stdp, progress, group)
        case "kmeans":
            return KMeans(k, seed, config.kmeans, persistent=False, group=group)
        case "kmeans-warm":
            return KMeans(k, seed, config.kmeans, persistent=True, group=group)
        case "sinkhorn":
            return Sinkhorn(k, seed, config.sinkhorn, group)
        case "random":
            return RandomLabels(k, seed, group)
        case _:
            return None
