"""Balanced clustering by entropic optimal transport (Cuturi 2013; Asano et al. 2020)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepstdp.clustering.base import Assignment, Clusterer, State
from deepstdp.clustering.lloyd import kmeans_plus_plus
from deepstdp.config import SinkhornConfig
from deepstdp.files import require_real
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.processes import ALONE, Group


def transport_plan(
    similarity: Float[Tensor, "n k"],
    epsilon: float,
    n_normalisations: int,
    group: Group = ALONE,
) -> Float[Tensor, "n k"]:
    """The plan between N samples and K equal clusters that maximises <Q, s> + epsilon H(Q).

    Sinkhorn's iterations on log Q = s / epsilon + u_i + v_j; rows sum to 1, columns to N / K.
    """
    (_, n), k = group.rows(len(similarity)), similarity.shape[1]
    log_plan = similarity / epsilon
    for _ in range(n_normalisations):
        columns = group.gather(log_plan.logsumexp(dim=0)[None]).logsumexp(dim=0)
        log_plan = log_plan - columns + math.log(n / k)
        log_plan = log_plan - log_plan.logsumexp(dim=1, keepdim=True)
    return log_plan.exp()


class Sinkhorn(Clusterer):
    """Alternates balanced soft assignments and unit-norm prototypes, which persist.

    Args:
        n_clusters: K.
        seed: of the first prototypes.
        config: entropy and numbers of iterations.
        group: the processes that share the samples.
    """

    persistent = True

    def __init__(
        self, n_clusters: int, seed: int, config: SinkhornConfig, group: Group = ALONE
    ) -> None:
        self.n_clusters, self.seed, self.config, self._group = n_clusters, seed, config, group
        self._prototypes: Tensor | None = None
        self._queue: Tensor | None = None

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Alternate plan and prototypes; the label is the largest entry of the last plan."""
        config, prototypes = self.config, self._prototypes
        if prototypes is None:
            generator = numpy_generator(self.seed, Stream.CLUSTERING)
            prototypes = kmeans_plus_plus(features, self.n_clusters, generator, self._group)
            prototypes = functional.normalize(prototypes, dim=1)
        for _ in range(config.n_iterations):
            plan = self._plan(features, prototypes)
            prototypes = functional.normalize(self._group.sum(plan.T @ features), dim=1)
        self._prototypes = prototypes
        plan = self._plan(features, prototypes)
        return Assignment(plan.argmax(dim=1), self.n_clusters)

    def _plan(
        self, features: Float[Tensor, "n p"], prototypes: Float[Tensor, "k p"]
    ) -> Float[Tensor, "n k"]:
        config, similarity = self.config, features @ prototypes.T
        return transport_plan(similarity, config.epsilon, config.n_normalisations, self._group)

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """The most similar prototype: new samples are not balanced."""
        assert self._prototypes is not None
        return Assignment((features @ self._prototypes.T).argmax(dim=1), self.n_clusters)

    def targets(self, features: Float[Tensor, "b p"]) -> Float[Tensor, "b k"]:
        """Rows of the balanced plan of this batch and the last ones; prototypes move with them.

        A queue of earlier samples makes the plan of a small batch possible, as in SwAV (Caron et
        al. 2020).
        """
        assert self._prototypes is not None
        config, n = self.config, len(features)
        earlier = features[:0] if self._queue is None else self._queue
        every = torch.cat([features, earlier])[: max(n, config.queue // self._group.size)]
        plan = self._plan(every, self._prototypes)[:n]
        self._queue = every
        share, total = self._group.sum(plan.sum(dim=0)), self._group.sum(plan.T @ features)
        # As many steps towards the mean as samples: see ``spiking.plasticity``.
        step = 1 - (1 - config.eta) ** share[:, None]
        mean = total / share[:, None].clamp(min=1e-12)
        self._prototypes = functional.normalize(torch.lerp(self._prototypes, mean, step), dim=1)
        return plan

    def state(self) -> State:
        """The prototypes."""
        return {} if self._prototypes is None else {"prototypes": self._prototypes}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``."""
        if state:
            require_real("prototypes", state.get("prototypes"), self.n_clusters, None)
        self._prototypes = state.get("prototypes")

    def own_rows(self) -> State:
        """The queue."""
        return {} if self._queue is None else {"queue": self._queue}

    def load_own_rows(self, rows: State) -> None:
        """Continue from ``own_rows()``."""
        self._queue = rows.get("queue")
        if self._queue is not None:
            n_features = None if self._prototypes is None else self._prototypes.shape[1]
            require_real("queue", self._queue, None, n_features)
