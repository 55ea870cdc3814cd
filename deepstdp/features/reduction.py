"""PCA, whitening, L2 normalisation, and alignment with the last epoch's components.

A PCA fitted anew each epoch flips and turns its axes, so synapses learnt in the last epoch would
meet another basis. Alignment turns the new components back: it is what lets a clusterer persist.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepstdp.config import ReductionConfig
from deepstdp.errors import UserError
from deepstdp.features.whitening import (
    Whitening,
    exact_whitening,
    polar_factor,
    subspace_whitening,
)
from deepstdp.files import require_real
from deepstdp.processes import ALONE, Group

State = dict[str, Tensor]

MOST_EXACT = 512
"""Features, or samples, up to which an exact decomposition is fast."""


class Reducer:
    """Reduces features to (N, P) unit vectors whose axes keep their meaning between fits.

    Args:
        config: number of components, how they are found, and whether to align.
        group: the processes that share the rows.

    Attributes:
        explained_variance: share of the variance that the components of the last fit span.
    """

    def __init__(self, config: ReductionConfig, group: Group = ALONE) -> None:
        self._config, self._group = config, group
        self._mean: Tensor | None = None
        self._projection: Tensor | None = None
        self._basis: Tensor | None = None
        self._last: Tensor | None = None
        self.explained_variance = 0.0

    def fit_transform(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Fit to these features and reduce them.

        With reduced features Z and those of the last fit Z', the components are turned by the
        orthogonal R that minimises ||Z R - Z'||, the polar factor of Z^T Z' (Schönemann 1966).

        Args:
            features: of the same images in the same order as in the last call.
        """
        fitted = self._whitening(features)
        self._mean, self._projection, self._basis = fitted.mean, fitted.projection, fitted.basis
        self.explained_variance = fitted.explained_variance
        reduced = self.transform(features)
        if self._config.align:
            if self._last is not None:
                start, _ = self._group.rows(len(features))
                last = self._last[start : start + len(features)]
                rotation = polar_factor(self._group.sum(reduced.T @ last))
                self._projection = self._projection @ rotation
                # Not reduced @ rotation: ``transform`` must repeat this to the bit.
                reduced = self.transform(features)
            self._last = self._group.gather(reduced)
        return reduced

    def _whitening(self, features: Float[Tensor, "n d"]) -> Whitening:
        config, solver = self._config, self._config.solver
        if solver == "auto":
            # Without alignment each fit must choose its axes by itself: only exact ones do.
            smaller = min(self._group.rows(len(features))[1], features.shape[1])
            solver = "exact" if smaller <= MOST_EXACT or not config.align else "subspace"
        if solver == "exact":
            return exact_whitening(features, config.n_components, self._group)
        return subspace_whitening(
            features, config.n_components, config.n_iterations, self._basis, self._group
        )

    @property
    def n_components(self) -> int:
        """P of the last fit."""
        assert self._projection is not None
        return self._projection.shape[1]

    def transform(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Reduce with the components of the last fit.

        Raises:
            UserError: there was none.
        """
        if self._mean is None or self._projection is None:
            raise UserError("no features were reduced yet: there is nothing to reduce others by")
        return functional.normalize((features - self._mean) @ self._projection, dim=1)

    def state(self) -> State:
        """Everything that has been learnt, as named tensors."""
        named = {
            "mean": self._mean,
            "projection": self._projection,
            "basis": self._basis,
            "last": self._last,
        }
        return {name: value for name, value in named.items() if value is not None}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``.

        Raises:
            ValueError: tensors of other shapes.
        """
        if state:
            require_real("projection", state.get("projection"), None, None)
            require_real("mean", state.get("mean"), len(state["projection"]))
            if state["mean"].dtype != state["projection"].dtype:
                raise ValueError("mean and projection are of two precisions")
            n_features, n_components = state["projection"].shape
            if "basis" in state:
                require_real("basis", state["basis"], n_features, None)
            if "last" in state:
                require_real("last", state["last"], None, n_components)
        self._mean, self._projection = state.get("mean"), state.get("projection")
        self._basis, self._last = state.get("basis"), state.get("last")
