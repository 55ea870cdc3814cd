"""k-means as a source of pseudo-labels: DeepCluster's, and one whose centroids persist."""

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer, State
from deepstdp.clustering.lloyd import assign, kmeans_plus_plus, lloyd
from deepstdp.config import KMeansConfig
from deepstdp.files import require_real
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.processes import ALONE, Group


class KMeans(Clusterer):
    """Lloyd's algorithm each epoch.

    Args:
        n_clusters: K.
        seed: of the k-means++ seeding.
        config: number of iterations.
        persistent: start from the last epoch's centroids; else from a new seed each epoch, as
            DeepCluster does (Caron et al. 2018).
        group: the processes that share the samples.
    """

    def __init__(
        self,
        n_clusters: int,
        seed: int,
        config: KMeansConfig,
        persistent: bool,
        group: Group = ALONE,
    ) -> None:
        self.n_clusters, self.seed, self.config, self._group = n_clusters, seed, config, group
        self.persistent = persistent
        self._n_fits = 0
        self._centres: Tensor | None = None

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Run Lloyd's algorithm; reports how often an empty cluster was filled."""
        centres = self._centres
        if centres is None or not self.persistent:
            generator = numpy_generator(self.seed, Stream.CLUSTERING, self._n_fits)
            centres = kmeans_plus_plus(features, self.n_clusters, generator, self._group)
        self._n_fits += 1
        self._centres, labels, n_relocated = lloyd(
            features, centres, self.config.n_iterations, self._group
        )
        return Assignment(labels, self.n_clusters, {"n_relocated": n_relocated})

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """The nearest centroid."""
        assert self._centres is not None
        return Assignment(assign(features, self._centres)[0], self.n_clusters)

    def state(self) -> State:
        """Centroids and the number of fits."""
        if self._centres is None:
            return {}
        return {"centres": self._centres, "n_fits": torch.tensor(self._n_fits)}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``."""
        if state:
            require_real("centres", state.get("centres"), self.n_clusters, None)
            self._centres, self._n_fits = state["centres"], int(state["n_fits"])
