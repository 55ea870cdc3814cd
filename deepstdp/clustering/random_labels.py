"""The control: labels drawn once and kept, which no feature can explain."""

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer
from deepstdp.keyed_random import Stream, uniform
from deepstdp.processes import ALONE, Group


class RandomLabels(Clusterer):
    """Image i gets a label drawn from (seed, i), the same in each epoch.

    Args:
        n_clusters: K.
        seed: of the labels.
        group: the processes that share the samples.
    """

    persistent = True
    can_predict = False

    def __init__(self, n_clusters: int, seed: int, group: Group = ALONE) -> None:
        self.n_clusters, self.seed, self._group = n_clusters, seed, group

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Draw; the features count only by their number."""
        start, _ = self._group.rows(len(features))
        ids = torch.arange(start, start + len(features), device=features.device)
        draws = uniform(self.seed, Stream.CLUSTERING, 0, ids, 1)[:, 0]
        labels = (draws * self.n_clusters).long().clamp(max=self.n_clusters - 1)
        return Assignment(labels, self.n_clusters)
