"""The labels themselves in the place of clusters: how high a network can get."""

import torch
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer


class GivenLabels(Clusterer):
    """Gives each sample the label it came with.

    Args:
        labels: of all samples, in their order, from 0 on.
        n_clusters: K.
    """

    persistent = True
    can_predict = False

    def __init__(self, labels: Int64[ndarray, "n"], n_clusters: int) -> None:
        self._labels, self.n_clusters = torch.from_numpy(labels), n_clusters

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """The labels, which the features do not change."""
        return Assignment(self._labels.to(features.device), self.n_clusters)
