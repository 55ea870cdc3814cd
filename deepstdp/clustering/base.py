"""The one call that clusterers differ behind."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from deepstdp.errors import UserError

State = dict[str, Tensor]


@dataclass(frozen=True)
class Assignment:
    """Which cluster each sample belongs to.

    Attributes:
        labels: (N,) cluster indices, 0 to K - 1.
        n_clusters: K.
        diagnostics: numbers the clusterer reports about how it came to them.
    """

    labels: Integer[Tensor, "n"]
    n_clusters: int
    diagnostics: dict[str, float] = field(default_factory=dict)


class Clusterer(ABC):
    """Clusters (N, P) reduced features; each call of ``fit_predict`` is one epoch.

    Where several processes share a run, each gives and gets its own rows; see ``processes``.

    Attributes:
        persistent: whether cluster j of one epoch is cluster j of the next, so that the head of
            the network may be kept.
        can_predict: whether new features can be assigned.
    """

    persistent: bool = False
    can_predict: bool = True

    @abstractmethod
    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Learn from the features and assign them."""

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Assign new features without learning.

        Raises:
            UserError: this clusterer cannot.
        """
        raise UserError(
            f"{type(self).__name__} cannot assign new images: it has no predict, or was not saved "
            "with its run"
        )

    def targets(self, features: Float[Tensor, "b p"]) -> Float[Tensor, "b k"]:
        """A distribution over clusters for each sample of a batch; may learn from the batch.

        The default assigns without learning, and is certain.
        """
        found = self.predict(features)
        return functional.one_hot(found.labels, found.n_clusters).to(features.dtype)

    def retest(self, features: Float[Tensor, "n p"]) -> Assignment | None:
        """Assign the samples of ``fit_predict`` under other noise; None if nothing is random."""
        return None

    def state(self) -> State:
        """What has been learnt, as named tensors, enough to predict elsewhere.

        It is alike on all processes.
        """
        return {}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``; the default has nothing to take up."""
        return

    def own_rows(self) -> State:
        """What else is needed to continue: samples that this process alone remembers.

        All processes call it together, and all give the same names.
        """
        return {}

    def load_own_rows(self, rows: State) -> None:
        """Continue from ``own_rows()``, on all processes together; the default remembers none.

        Raises:
            ValueError: they are no such rows; after ``load_state``.
        """
        return
