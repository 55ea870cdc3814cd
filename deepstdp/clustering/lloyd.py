"""k-means in torch, on any device: k-means++ seeding and Lloyd's algorithm.

Equal to scikit-learn's from the same start, so that the baseline is not handicapped. Samples may
be shared by several processes; centres are whole and alike on all of them.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.processes import ALONE, Group

_CHUNK = 16384
"""Samples at a time, so that memory grows with K, not with N K."""

_ONE_HOT_ENTRIES = 1 << 22


def squared_distances(
    x: Float[Tensor, "n p"],
    centres: Float[Tensor, "k p"],
    norms: Float[Tensor, "n"] | None = None,
) -> Float[Tensor, "n k"]:
    """||x_i - c_j||^2 = ||x_i||^2 - 2 x_i c_j + ||c_j||^2, never negative.

    Args:
        x: samples.
        centres: points.
        norms: ||x_i||^2, where they are known.
    """
    norms = x.square().sum(dim=1) if norms is None else norms
    cross = torch.addmm(centres.square().sum(dim=1)[None, :], x, centres.T, alpha=-2)
    return cross.add_(norms[:, None]).clamp_(min=0)


def kmeans_plus_plus(
    x: Float[Tensor, "n p"],
    n_clusters: int,
    generator: np.random.Generator,
    group: Group = ALONE,
) -> Float[Tensor, "{n_clusters} p"]:
    """Seeds drawn by their squared distance to the seeds so far (Arthur and Vassilvitskii 2007).

    With scikit-learn's 2 + log K candidates for each.
    """
    n_candidates = 2 + int(math.log(n_clusters))
    seeds = seed_indices(x, n_clusters, generator, n_candidates, group)
    return take(x, seeds, group.rows(len(x))[0], group)


def seed_indices(
    x: Float[Tensor, "n p"],
    n_clusters: int,
    generator: np.random.Generator,
    n_candidates: int,
    group: Group = ALONE,
) -> Int64[Tensor, "{n_clusters}"]:
    """Positions of k-means++ seeds among the samples of all processes.

    Of ``n_candidates`` for a seed the one is taken that leaves the smallest sum of squares.
    """
    draws = torch.from_numpy(generator.random((n_clusters, n_candidates)))
    draws = draws.to(x.device, torch.float32 if x.device.type == "mps" else torch.float64)
    norms = torch.cat([part.square().sum(dim=1) for part in x.split(_CHUNK)])
    start, n = group.rows(len(x))
    chosen = (draws[:, 0] * n).long()
    nearest = squared_distances(x, take(x, chosen[:1], start, group), norms)[:, 0]
    for position in range(1, n_clusters):
        candidates = _draw(nearest.to(draws.dtype), draws[position], start, group)
        distances = squared_distances(x, take(x, candidates, start, group), norms)
        torch.minimum(distances, nearest[:, None], out=distances)
        best = group.sum(distances.sum(dim=0)).argmin()
        chosen[position] = candidates[best]
        nearest = distances[:, best]
    return chosen


def _draw(
    weights: Float[Tensor, "n"], draws: Float[Tensor, "c"], start: int, group: Group
) -> Int64[Tensor, "c"]:
    """Positions drawn by weight: where the running sum over all samples passes each draw."""
    cumulative = weights.cumsum(0)
    ends = group.gather(cumulative[-1:]).cumsum(0)
    targets = draws * ends[-1]
    owner = torch.searchsorted(ends, targets, right=True).clamp(max=len(ends) - 1)
    before = ends[group.rank] - cumulative[-1]
    position = torch.searchsorted(cumulative, targets - before, right=True)
    position = position.clamp(max=len(weights) - 1) + start
    return group.sum(torch.where(owner == group.rank, position, 0))


def take(
    x: Float[Tensor, "n p"], positions: Int64[Tensor, "m"], start: int, group: Group
) -> Float[Tensor, "m p"]:
    """The samples at positions among those of all processes, on every process.

    Args:
        x: this process's samples.
        positions: alike on all processes.
        start: position of the first of ``x``.
        group: the processes.
    """
    own = positions - start
    mine = (own >= 0) & (own < len(x))
    return group.sum(x[own.clamp(0, len(x) - 1)] * mine[:, None])


def assign(
    x: Float[Tensor, "n p"], centres: Float[Tensor, "k p"]
) -> tuple[Int64[Tensor, "n"], Float[Tensor, "n"]]:
    """E-step: the nearest centre of each sample and the squared distance to it."""
    parts = [squared_distances(part, centres).min(dim=1) for part in x.split(_CHUNK)]
    return torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])


def update(
    x: Float[Tensor, "n p"],
    labels: Int64[Tensor, "n"],
    distances: Float[Tensor, "n"],
    n_clusters: int,
    group: Group = ALONE,
) -> tuple[Float[Tensor, "{n_clusters} p"], int]:
    """M-step: the mean of each cluster; an empty one takes the sample farthest from its centre.

    Each such sample leaves the cluster it was in, as in scikit-learn.

    Returns:
        The centres, and how many clusters were empty.
    """
    counts = torch.bincount(labels, minlength=n_clusters).to(x.dtype)
    sums = x.new_zeros(n_clusters, x.shape[1])
    # A product, and not index_add_, whose order of additions a GPU leaves open.
    size = max(1, _ONE_HOT_ENTRIES // n_clusters)
    for part, part_labels in zip(x.split(size), labels.split(size), strict=True):
        sums += torch.nn.functional.one_hot(part_labels, n_clusters).to(x.dtype).T @ part
    counts, sums = group.sum(counts), group.sum(sums)
    empty = torch.nonzero(counts == 0)[:, 0]
    if len(empty) > 0:
        far = distances.topk(min(len(empty), len(x))).indices
        points, taken, reach = (group.gather(y[far]) for y in (x, labels, distances))
        farthest = reach.topk(min(len(empty), len(reach))).indices
        points, taken, empty = points[farthest], taken[farthest], empty[: len(farthest)]
        leaving = torch.nn.functional.one_hot(taken, n_clusters).to(x.dtype)
        sums, counts = sums - leaving.T @ points, counts - leaving.sum(dim=0)
        sums[empty], counts[empty] = points, 1.0
    return sums / counts.clamp(min=1)[:, None], len(empty)


def lloyd(
    x: Float[Tensor, "n p"],
    centres: Float[Tensor, "k p"],
    n_iterations: int,
    group: Group = ALONE,
) -> tuple[Float[Tensor, "k p"], Int64[Tensor, "n"], int]:
    """Alternate E- and M-steps from the given centres, until labels stand still.

    Returns:
        Centres, labels by those centres, and how often an empty cluster was filled.
    """
    labels, distances = assign(x, centres)
    n_relocated = 0
    for _ in range(n_iterations):
        centres, n_empty = update(x, labels, distances, len(centres), group)
        n_relocated += n_empty
        previous = labels
        labels, distances = assign(x, centres)
        if group.sum((labels != previous).sum()) == 0:
            break
    return centres, labels, n_relocated
