"""Clustering for devices that lack double precision, which synapses are kept in."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer, State


class OnCPU(Clusterer):
    """Takes features to the CPU and brings labels back.

    Args:
        wrapped: the clusterer that does the work.
    """

    def __init__(self, wrapped: Clusterer) -> None:
        self._wrapped = wrapped
        self.persistent, self.can_predict = wrapped.persistent, wrapped.can_predict

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Learn from the features and assign them."""
        return _back(self._wrapped.fit_predict(features.cpu()), features)

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Assign new features without learning."""
        return _back(self._wrapped.predict(features.cpu()), features)

    def targets(self, features: Float[Tensor, "b p"]) -> Float[Tensor, "b k"]:
        """A distribution over clusters; may learn from the batch."""
        return self._wrapped.targets(features.cpu()).to(features.device)

    def retest(self, features: Float[Tensor, "n p"]) -> Assignment | None:
        """Assign under other noise, where there is any."""
        again = self._wrapped.retest(features.cpu())
        return None if again is None else _back(again, features)

    def state(self) -> State:
        """What has been learnt, on the CPU."""
        return self._wrapped.state()

    def load_state(self, state: State) -> None:
        """Continue from ``state()``."""
        self._wrapped.load_state({name: value.cpu() for name, value in state.items()})
        self.can_predict = self._wrapped.can_predict

    def own_rows(self) -> State:
        """Samples that are remembered, on the CPU."""
        return self._wrapped.own_rows()

    def load_own_rows(self, rows: State) -> None:
        """Continue from ``own_rows()``."""
        self._wrapped.load_own_rows({name: value.cpu() for name, value in rows.items()})


def _back(assignment: Assignment, features: Float[Tensor, "n p"]) -> Assignment:
    return replace(assignment, labels=assignment.labels.to(features.device))
