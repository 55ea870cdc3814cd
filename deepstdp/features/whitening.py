"""PCA whitening, exact or by subspace iteration, of features that several processes share."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepstdp.keyed_random import Stream, torch_generator
from deepstdp.processes import ALONE, Group

_SMALLEST_VARIANCE = 1e-6
"""Directions of less variance than this share of the largest are left out, not blown up."""

_COLD_START = 10
"""How many times more iterations a start from random directions gets."""

_POLAR_ROUNDS, _POLAR_STEPS, _POLAR_TOLERANCE = 6, 8, 1e-9
"""Newton-Schulz steps between looks at the error, how many such rounds, and the error to reach."""


@dataclass(frozen=True)
class Whitening:
    """z = (f - mean) W has P uncorrelated entries of unit variance.

    Attributes:
        mean: (D,) of the features.
        projection: W, (D, P).
        basis: (D, P) orthonormal directions that span the components.
        explained_variance: share of the variance that lies in their span.
    """

    mean: Float[Tensor, "d"]
    projection: Float[Tensor, "d p"]
    basis: Float[Tensor, "d p"]
    explained_variance: float


def exact_whitening(
    features: Float[Tensor, "n d"], n_components: int, group: Group = ALONE
) -> Whitening:
    """With covariance C = V diag(l) V^T, W = V_P diag(l_P)^(-1/2).

    Args:
        features: this process's rows.
        n_components: components wanted; P is the least of it, N - 1 and D. Components that do
            not vary stay zero.
        group: the processes that hold the other rows.
    """
    mean, centred, n = _centred(features, group)
    variances, directions = _principal_axes(centred, n, group)
    p = _limit(n_components, n, features)
    basis, kept = directions[:, :p], variances[:p]
    scale = torch.where(kept > _SMALLEST_VARIANCE * variances[0], kept.rsqrt(), 0.0)
    share = (kept.sum() / variances.sum().clamp(min=1e-30)).item()
    dtype = features.dtype
    return Whitening(mean, (basis * scale).to(dtype), basis.to(dtype), share)


def subspace_whitening(
    features: Float[Tensor, "n d"],
    n_components: int,
    n_iterations: int,
    start: Float[Tensor, "d p"] | None = None,
    group: Group = ALONE,
) -> Whitening:
    """Whitening without an eigendecomposition: subspace iteration, then a Cholesky factor.

    Q <- orthonormal(C Q), some times, turns Q to the span of the leading components; with
    S = Q^T C Q = L L^T, W = Q L^(-T) whitens. Of the bases of that span this is any one: it is
    for alignment to choose (Halko, Martinsson and Tropp 2011; 2 N D P products an iteration).

    Args:
        features: this process's rows.
        n_components: as in ``exact_whitening``.
        n_iterations: from ``start``; ten times as many from random directions.
        start: an earlier ``Whitening.basis``.
        group: the processes that hold the other rows.
    """
    mean, centred, n = _centred(features, group)
    p = _limit(n_components, n, features)
    if start is None or start.shape != (features.shape[1], p):
        n_iterations *= _COLD_START
        draws = torch.randn(features.shape[1], p, generator=torch_generator(0, Stream.SUBSPACE))
        start = _orthonormal(draws.to(features))
    basis = start
    for _ in range(n_iterations):
        basis = _orthonormal(group.sum(centred.T @ (centred @ basis)))
    spread = centred @ basis
    covariance = _double(group.sum(spread.T @ spread)) / max(n - 1, 1)
    total = group.sum(centred.square().sum()) / max(n - 1, 1)
    # Directions that do not vary are held down by a ridge; they come out next to zero.
    ridge = _SMALLEST_VARIANCE * covariance.diagonal().amax().clamp(min=1e-30)
    factor = torch.linalg.cholesky(covariance + ridge * torch.eye(p).to(covariance))
    share = (covariance.trace().to(total) / total.clamp(min=1e-30)).item()
    return Whitening(mean, basis @ _inverse(factor).T.to(basis), basis, share)


def polar_factor(matrix: Float[Tensor, "p p"]) -> Float[Tensor, "p p"]:
    """The orthogonal matrix nearest to M = U S V^T, which is U V^T.

    By Newton and Schulz: X <- X (3 I - X^T X) / 2 from X = M / ||M||, which takes products alone;
    by singular values where M is too near to singular for that.
    """
    x = _double(matrix)
    identity = torch.eye(len(x)).to(x)
    x = x / x.norm().clamp(min=1e-300)
    for _ in range(_POLAR_ROUNDS):
        for _ in range(_POLAR_STEPS):
            x = x @ (3 * identity - x.T @ x) / 2
        if (x.T @ x - identity).abs().amax() < _POLAR_TOLERANCE:
            return x.to(matrix)
    u, _, vh = torch.linalg.svd(_double(matrix))
    return (u @ vh).to(matrix)


def _limit(n_components: int, n: int, features: Float[Tensor, "m d"]) -> int:
    return min(n_components, max(n - 1, 1), features.shape[1])


def _centred(
    features: Float[Tensor, "n d"], group: Group
) -> tuple[Float[Tensor, "d"], Float[Tensor, "n d"], int]:
    """Mean of all rows, this process's rows without it, and the number of all rows."""
    _, n = group.rows(len(features))
    mean = group.sum(features.sum(dim=0)) / n
    return mean, features - mean, n


def _principal_axes(
    centred: Float[Tensor, "n d"], n: int, group: Group
) -> tuple[Float[Tensor, "m"], Float[Tensor, "d m"]]:
    """Variances, largest first, and their directions, in double precision.

    The smaller of X^T X (D x D) and X X^T (N x N) is decomposed: with X X^T u = l u, the
    direction is X^T u / sqrt(l).
    """
    # Single precision fails to converge on covariances of low rank.
    if centred.shape[1] <= n:
        eigenvalues, vectors = torch.linalg.eigh(_double(group.sum(centred.T @ centred)))
    else:
        every = group.gather(centred)
        eigenvalues, vectors = torch.linalg.eigh(_double(every @ every.T))
        vectors = functional.normalize(_double(every).T @ vectors, dim=0)
    variances = eigenvalues.flip(0).clamp(min=0) / max(n - 1, 1)
    return _back(variances, centred), _back(vectors.flip(1), centred)


def _orthonormal(columns: Float[Tensor, "d p"]) -> Float[Tensor, "d p"]:
    """An orthonormal basis of their span, by two rounds of Cholesky QR, which are products."""
    q = functional.normalize(columns, dim=0)
    for _ in range(2):
        factor, failed = torch.linalg.cholesky_ex(_double(q.T @ q))
        if failed:  # columns that depend on each other
            return torch.linalg.qr(columns)[0]
        q = q @ _inverse(factor).T.to(q)
    return q


def _inverse(lower: Float[Tensor, "p p"]) -> Float[Tensor, "p p"]:
    """Of a triangular matrix."""
    return torch.linalg.solve_triangular(lower, torch.eye(len(lower)).to(lower), upper=False)


def _back(x: Float[Tensor, "..."], like: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """On the device of another, in double precision where it has any."""
    return x.to(like) if like.device.type == "mps" else x.to(like.device)


def _double(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """In double precision, on the CPU where the device has none."""
    return x.to("cpu" if x.device.type == "mps" else x.device, torch.float64)
