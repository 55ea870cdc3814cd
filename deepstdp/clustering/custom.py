"""Clusterers of the user's own: scikit-learn's, or any object with ``fit_predict``."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer
from deepstdp.errors import UserError


class CustomClusterer(Clusterer):
    """Calls ``fit_predict`` (and ``predict``, where there is one) with NumPy arrays.

    Args:
        wrapped: the user's object.
        n_clusters: K, the outputs of the head; its labels must lie below.
    """

    def __init__(self, wrapped: Any, n_clusters: int) -> None:
        if not hasattr(wrapped, "fit_predict"):
            raise UserError(f"the clusterer {type(wrapped).__name__} has no method fit_predict")
        self.wrapped, self.n_clusters = wrapped, n_clusters
        self.persistent = bool(getattr(wrapped, "persistent", False))
        self.can_predict = hasattr(wrapped, "predict")

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Learn and assign, checking what comes back.

        Raises:
            UserError: labels of the wrong number, or outside 0 to K - 1.
        """
        return self._checked(self.wrapped.fit_predict(features.cpu().numpy()), features)

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Assign new features."""
        if not self.can_predict:
            return super().predict(features)
        return self._checked(self.wrapped.predict(features.cpu().numpy()), features)

    def _checked(self, result: Any, features: Float[Tensor, "n p"]) -> Assignment:
        if isinstance(result, Assignment):
            return result
        labels = np.asarray(result)
        name = type(self.wrapped).__name__
        if labels.shape != (len(features),) or not np.issubdtype(labels.dtype, np.integer):
            raise UserError(f"{name} must give {len(features)} whole-number labels")
        if labels.min() < 0 or labels.max() >= self.n_clusters:
            raise UserError(
                f"{name} gave labels {labels.min()} to {labels.max()}: they must lie between 0 "
                f"and {self.n_clusters - 1} (clustering.n_clusters is {self.n_clusters})"
            )
        return Assignment(
            torch.from_numpy(labels.astype(np.int64)).to(features.device), self.n_clusters
        )
