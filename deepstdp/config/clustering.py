"""Settings of feature reduction and of the clusterers."""

from dataclasses import dataclass, field
from typing import Any, Literal

from deepstdp.config.checks import require, require_types, settle_custom
from deepstdp.config.spiking import STDPConfig

Method = Literal[
    "stdp", "kmeans", "kmeans-warm", "sinkhorn", "random", "supervised", "none", "custom"
]


@dataclass(frozen=True)
class ReductionConfig:
    """From features to what the clusterer sees.

    Args:
        n_components: principal components kept (P); fewer if the features have fewer.
        align: turn the new components onto those of the last epoch.
        solver: ``exact`` decomposes the covariance; ``subspace`` iterates from the components of
            the last epoch, on any device; ``auto`` is exact up to 512 features or samples.
        n_iterations: steps of ``subspace`` an epoch; ten times as many on the first.
        max_samples: training images whose full features are held in memory. The components are
            fitted to them, and the linear probe and k-NN learn from them; of more images they are
            a random sample, and of the others only the reduced features are kept.
    """

    n_components: int = 64
    align: bool = True
    solver: Literal["auto", "exact", "subspace"] = "auto"
    n_iterations: int = 2
    max_samples: int = 50_000

    def __post_init__(self) -> None:
        require_types(self, "reduction.")
        for name in ("n_components", "n_iterations"):
            require(getattr(self, name) >= 1, f"reduction.{name} must be at least 1")
        require(self.max_samples >= 2, "reduction.max_samples must be at least 2")


@dataclass(frozen=True)
class KMeansConfig:
    """Lloyd's algorithm.

    Args:
        n_iterations: Lloyd steps each time (faiss, as DeepCluster uses it, takes 20).
    """

    n_iterations: int = 20

    def __post_init__(self) -> None:
        require_types(self, "clustering.kmeans.")
        require(self.n_iterations >= 1, "clustering.kmeans.n_iterations must be at least 1")


@dataclass(frozen=True)
class SinkhornConfig:
    """Balanced clustering by optimal transport.

    Args:
        epsilon: entropy of the transport plan: smaller is harder and more balanced only slowly.
        n_normalisations: row and column scalings for each plan.
        n_iterations: alternations of plan and prototypes each time.
        eta: step of a prototype for one sample, with ``training.targets batch``.
        queue: samples that are balanced together then, earlier ones with those of the batch.
    """

    epsilon: float = 0.05
    n_normalisations: int = 20
    n_iterations: int = 10
    eta: float = 0.02
    queue: int = 2048

    def __post_init__(self) -> None:
        require_types(self, "clustering.sinkhorn.")
        require(0 < self.eta <= 1, "clustering.sinkhorn.eta must lie in (0, 1]")
        require(self.queue >= 0, "clustering.sinkhorn.queue must not be negative")
        require(self.epsilon > 0, "clustering.sinkhorn.epsilon must be positive")
        for name in ("n_normalisations", "n_iterations"):
            require(getattr(self, name) >= 1, f"clustering.sinkhorn.{name} must be at least 1")


@dataclass(frozen=True)
class ClusteringConfig:
    """Where the pseudo-labels come from.

    Args:
        method: a built-in clusterer; ``none`` leaves the network untrained; ``supervised`` takes
            the labels themselves, to see how high a network can get; ``custom`` follows from
            ``class_path``.
        n_clusters: number of clusters (K); the paper takes ten times the number of classes.
        class_path: import path of a clusterer of your own (anything with ``fit_predict``, such
            as scikit-learn's), in the place of ``method``.
        init_args: keyword arguments for that class.
        stdp: settings of ``stdp``.
        kmeans: settings of ``kmeans`` and ``kmeans-warm``.
        sinkhorn: settings of ``sinkhorn``.
    """

    method: Method = "stdp"
    n_clusters: int = 100
    class_path: str | None = None
    init_args: dict[str, Any] = field(default_factory=dict)
    stdp: STDPConfig = field(default_factory=STDPConfig)
    kmeans: KMeansConfig = field(default_factory=KMeansConfig)
    sinkhorn: SinkhornConfig = field(default_factory=SinkhornConfig)

    def __post_init__(self) -> None:
        require_types(self, "clustering.")
        require(
            self.n_clusters >= 1, f"clustering.n_clusters must be at least 1, not {self.n_clusters}"
        )
        settle_custom(self, "method", "clustering")
