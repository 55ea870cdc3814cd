"""PCA, whitening, L2 normalisation, and alignment with the last epoch's components.

A PCA fitted anew each epoch flips and turns its axes, so synapses learnt in the last epoch would
meet another basis. Alignment turns the new components back: it is what lets a clusterer persist.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepstdp.config import ReductionConfig

State = dict[str, Tensor]
_SMALLEST_VARIANCE = 1e-6
"""Directions of less variance than this share of the largest are left out, not blown up."""


def whitening(
    features: Float[Tensor, "n d"], n_components: int
) -> tuple[Float[Tensor, "d"], Float[Tensor, "d p"]]:
    """Mean and whitening matrix of the leading principal components.

    With covariance C = V diag(l) V^T, z = (f - mean) V_P diag(l_P)^(-1/2) has unit variance.

    Args:
        features: (N, D).
        n_components: components wanted; P is the least of it, N - 1 and D. Components that do
            not vary stay zero.

    Returns:
        The mean, and V_P diag(l_P)^(-1/2).
    """
    n, d = features.shape
    n_components = min(n_components, max(n - 1, 1), d)
    mean = features.mean(dim=0)
    variances, directions = _principal_axes(features - mean)
    kept = variances[:n_components]
    scale = torch.where(kept > _SMALLEST_VARIANCE * variances[0], kept.rsqrt(), 0.0)
    return mean, (directions[:, :n_components] * scale).to(features.dtype)


def _principal_axes(
    centred: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, "m"], Float[Tensor, "d m"]]:
    """Variances, largest first, and their directions, in double precision.

    The smaller of X^T X (D x D) and X X^T (N x N) is decomposed: with X X^T u = l u, the
    direction is X^T u / sqrt(l).
    """
    n, d = centred.shape
    products = centred.T @ centred if d <= n else centred @ centred.T
    # Single precision fails to converge on covariances of low rank; MPS has no other.
    device = torch.device("cpu") if products.device.type == "mps" else products.device
    eigenvalues, vectors = torch.linalg.eigh(products.to(device, torch.float64))
    eigenvalues, vectors = eigenvalues.flip(0).clamp(min=0), vectors.flip(1)
    if d > n:
        back = centred.to(device, torch.float64).T @ vectors
        vectors = torch.nn.functional.normalize(back, dim=0)
    return (eigenvalues / max(n - 1, 1)).to(centred.device), vectors.to(centred.device)


def procrustes_rotation(
    source: Float[Tensor, "n p"], target: Float[Tensor, "n p"]
) -> Float[Tensor, "p p"]:
    """The orthogonal R that minimises ||source R - target|| (Schönemann 1966).

    With source^T target = U S V^T, R = U V^T.
    """
    u, _, vh = torch.linalg.svd(source.T @ target)
    return u @ vh


class Reducer:
    """Reduces features to (N, P) unit vectors whose axes keep their meaning between fits.

    Args:
        config: number of components, and whether to align.
    """

    def __init__(self, config: ReductionConfig) -> None:
        self._config = config
        self._mean: Tensor | None = None
        self._projection: Tensor | None = None
        self._last: Tensor | None = None

    def fit_transform(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Fit to these features and reduce them.

        Args:
            features: of the same images in the same order as in the last call.
        """
        self._mean, self._projection = whitening(features, self._config.n_components)
        reduced = self.transform(features)
        if self._config.align:
            if self._last is not None:
                self._projection = self._projection @ procrustes_rotation(reduced, self._last)
                # Not reduced @ rotation: ``transform`` must repeat this to the bit.
                reduced = self.transform(features)
            self._last = reduced
        return reduced

    def transform(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Reduce with the components of the last fit."""
        assert self._mean is not None
        assert self._projection is not None
        return functional.normalize((features - self._mean) @ self._projection, dim=1)

    def state(self) -> State:
        """Everything that has been learnt, as named tensors."""
        named = {"mean": self._mean, "projection": self._projection, "last": self._last}
        return {name: value for name, value in named.items() if value is not None}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``."""
        self._mean, self._projection = state.get("mean"), state.get("projection")
        self._last = state.get("last")
