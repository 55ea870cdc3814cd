"""Clusterers of the user's own: scikit-learn's, or any object with ``fit_predict``."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer, State
from deepstdp.errors import UserError
from deepstdp.processes import ALONE, Group


class CustomClusterer(Clusterer):
    """Calls ``fit_predict`` (and ``predict``, where there is one), and checks what comes back.

    A ``Clusterer`` gets tensors, anything else NumPy arrays. An object with ``state`` and
    ``load_state`` can be saved with a run; of others only the labels are.

    Args:
        wrapped: the user's object.
        n_clusters: K, the outputs of the head; its labels must lie below.
        group: the processes that share the samples; the first alone clusters those of all.

    Raises:
        UserError: it has no ``fit_predict``.
    """

    def __init__(self, wrapped: Any, n_clusters: int, group: Group = ALONE) -> None:
        if not hasattr(wrapped, "fit_predict"):
            raise UserError(f"the clusterer {type(wrapped).__name__} has no method fit_predict")
        self.wrapped, self.n_clusters, self._group = wrapped, n_clusters, group
        self.persistent = bool(getattr(wrapped, "persistent", False))
        self._learns_to_predict = bool(getattr(wrapped, "can_predict", hasattr(wrapped, "predict")))
        self.can_predict = self._learns_to_predict

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Learn and assign.

        Raises:
            UserError: the call fails, or gives no N labels between 0 and K - 1.
        """
        found = self._call("fit_predict", features)
        self.can_predict = self._learns_to_predict
        return found

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Assign new features."""
        if not self.can_predict:
            return super().predict(features)
        return self._call("predict", features)

    def retest(self, features: Float[Tensor, "n p"]) -> Assignment | None:
        """Assign once more, where the object can."""
        if not isinstance(self.wrapped, Clusterer):
            return None
        return self._call_if_any("retest", features)

    def targets(self, features: Float[Tensor, "b p"]) -> Float[Tensor, "b k"]:
        """A ``Clusterer``'s own targets; of other objects the clusters that they assign."""
        if not isinstance(self.wrapped, Clusterer):
            return super().targets(features)
        wrapped, (start, _) = self.wrapped, self._group.rows(len(features))
        every = self._group.gather(features)
        found = self._group.first(lambda: wrapped.targets(every))
        return found[start : start + len(features)].to(features.device)

    def state(self) -> State:
        """What the object says must be saved."""
        return self.wrapped.state() if hasattr(self.wrapped, "state") else {}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``; an object that has none cannot predict until it is fitted."""
        if hasattr(self.wrapped, "load_state"):
            self.wrapped.load_state(state)
        else:
            self.can_predict = False

    def own_rows(self) -> State:
        """Samples that the object of the first process remembers; none, of the others."""
        if not isinstance(self.wrapped, Clusterer):
            return {}
        rows = self._group.first(self.wrapped.own_rows)
        return rows if self._group.is_first else {name: x[:0] for name, x in rows.items()}

    def load_own_rows(self, rows: State) -> None:
        """Continue from ``own_rows()``, however they have been shared out."""
        if isinstance(self.wrapped, Clusterer):
            every = {name: self._group.gather(x) for name, x in rows.items()}
            self.wrapped.load_own_rows(every)

    def _call(self, method: str, features: Float[Tensor, "n p"]) -> Assignment:
        found = self._call_if_any(method, features)
        if found is None:
            raise UserError(f"{type(self.wrapped).__name__}.{method} gave nothing")
        return found

    def _call_if_any(self, method: str, features: Float[Tensor, "n p"]) -> Assignment | None:
        start, _ = self._group.rows(len(features))
        every = self._group.gather(features)
        # The object of the first process alone has learnt anything.
        found = self._group.first(lambda: self._checked(method, every))
        if found is None:
            return None
        labels, diagnostics = found
        own = labels[start : start + len(features)].to(features.device)
        return Assignment(own, self.n_clusters, diagnostics)

    def _checked(
        self, method: str, features: Float[Tensor, "n p"]
    ) -> tuple[Int64[Tensor, "n"], dict[str, float]] | None:
        """What the user's object gives, if it can be used; on the CPU."""
        name = type(self.wrapped).__name__
        given = features if isinstance(self.wrapped, Clusterer) else features.cpu().numpy()
        try:
            result = getattr(self.wrapped, method)(given)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{name}.{method} failed: {error}") from error
        if result is None:
            return None
        diagnostics: dict[str, float] = {}
        if isinstance(result, Assignment):
            labels, diagnostics = result.labels, result.diagnostics
        else:
            labels = torch.as_tensor(np.asarray(result))
        whole = not labels.is_floating_point() and labels.dtype != torch.bool
        if labels.shape != (len(features),) or not whole:
            raise UserError(f"{name} must give {len(features)} whole-number labels")
        if labels.min() < 0 or labels.max() >= self.n_clusters:
            raise UserError(
                f"{name} gave labels {int(labels.min())} to {int(labels.max())}: they must lie "
                f"between 0 and {self.n_clusters - 1} (clustering.n_clusters)"
            )
        return labels.to("cpu", torch.int64), diagnostics
