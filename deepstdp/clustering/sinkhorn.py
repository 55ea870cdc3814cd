"""Balanced clustering by entropic optimal transport (Cuturi 2013; Asano et al. 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepstdp.clustering.base import Assignment, Clusterer, State
from deepstdp.clustering.lloyd import kmeans_plus_plus
from deepstdp.config import SinkhornConfig
from deepstdp.keyed_random import Stream, numpy_generator


def transport_plan(
    similarity: Float[Tensor, "n k"], epsilon: float, n_normalisations: int
) -> Float[Tensor, "n k"]:
    """The plan between N samples and K equal clusters that maximises <Q, s> + epsilon H(Q).

    Sinkhorn's iterations on log Q = s / epsilon + u_i + v_j; rows sum to 1, columns to N / K.
    """
    n, k = similarity.shape
    log_plan = similarity / epsilon
    for _ in range(n_normalisations):
        log_plan = log_plan - log_plan.logsumexp(dim=0) + torch.log(torch.tensor(n / k))
        log_plan = log_plan - log_plan.logsumexp(dim=1, keepdim=True)
    return log_plan.exp()


class Sinkhorn(Clusterer):
    """Alternates balanced soft assignments and unit-norm prototypes, which persist.

    Args:
        n_clusters: K.
        seed: of the first prototypes.
        config: entropy and numbers of iterations.
    """

    persistent = True

    def __init__(self, n_clusters: int, seed: int, config: SinkhornConfig) -> None:
        self.n_clusters, self.seed, self.config = n_clusters, seed, config
        self._prototypes: Tensor | None = None

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Alternate plan and prototypes; the label is the largest entry of the last plan."""
        config, prototypes = self.config, self._prototypes
        if prototypes is None:
            generator = numpy_generator(self.seed, Stream.CLUSTERING)
            prototypes = kmeans_plus_plus(features, self.n_clusters, generator)
            prototypes = functional.normalize(prototypes, dim=1)
        for _ in range(config.n_iterations):
            plan = transport_plan(features @ prototypes.T, config.epsilon, config.n_normalisations)
            prototypes = functional.normalize(plan.T @ features, dim=1)
        self._prototypes = prototypes
        plan = transport_plan(features @ prototypes.T, config.epsilon, config.n_normalisations)
        return Assignment(plan.argmax(dim=1), self.n_clusters)

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """The most similar prototype: new samples are not balanced."""
        assert self._prototypes is not None
        return Assignment((features @ self._prototypes.T).argmax(dim=1), self.n_clusters)

    def state(self) -> State:
        """The prototypes."""
        return {} if self._prototypes is None else {"prototypes": self._prototypes}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``."""
        self._prototypes = state.get("prototypes")
