"""Which images an epoch shows, in which order; drawn on the device of the labels."""

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.keyed_random import Stream, uniform

Indices = Int64[Tensor, "n"]


def epoch_order(
    labels: Indices,
    sampler: Literal["uniform", "as-published", "shuffle"],
    seed: int,
    epoch: int,
) -> Indices:
    """N image indices for one epoch.

    ``uniform`` takes equally many images of each non-empty cluster, some twice and some not at
    all, as DeepCluster's paper says. ``as-published`` does what its public code does: the data
    are first put in cluster order, and the same draws, which are indices of the original order,
    are looked up there; clusters end up as unequal as they were. ``shuffle`` takes each image
    once.

    Args:
        labels: the pseudo-label of each image.
        sampler: see above.
        seed: the run's seed.
        epoch: renews the draws.
    """
    ids = torch.arange(len(labels), device=labels.device)
    draws = uniform(seed, Stream.SAMPLER, epoch, ids, 4)
    if sampler == "shuffle":
        return _shuffled(draws[:, :2])
    drawn = _uniform_over_clusters(labels, draws, seed, epoch)
    return drawn if sampler == "uniform" else labels.argsort(stable=True)[drawn]


def _uniform_over_clusters(
    labels: Indices, draws: Float[Tensor, "n 4"], seed: int, epoch: int
) -> Indices:
    """As many of each cluster: members in random order, or any, with repeats, of too few."""
    n = len(labels)
    at_random = _shuffled(draws[:, :2])
    by_cluster = at_random[labels[at_random].argsort(stable=True)]
    sizes = torch.bincount(labels)
    sizes = sizes[sizes > 0]
    starts = sizes.cumsum(0) - sizes
    quota = n // len(sizes) + 1
    nth = torch.arange(quota, device=labels.device)
    slots = torch.arange(len(sizes) * quota, device=labels.device)
    fresh = uniform(seed, Stream.SAMPLER, epoch, slots + n, 3)
    anyone = (fresh[:, 0].view(-1, quota) * sizes[:, None]).long()
    member = torch.where(sizes[:, None] >= quota, nth[None, :], anyone)
    drawn = by_cluster[(starts[:, None] + member).flatten()]
    return drawn[_shuffled(fresh[:, 1:])][:n]


def _shuffled(draws: Float[Tensor, "n 2"]) -> Indices:
    """A random order from two draws of 24 bits each, one alone would repeat too often."""
    key = (draws * 2**24).long()  # exact
    return (key[:, 0] << 24 | key[:, 1]).argsort()


def occurrence_keys(order: Indices) -> Indices:
    """A key for each draw: the image's index, and in the high word how often it came before.

    An image that is drawn twice in an epoch is augmented in two ways.
    """
    positions = order.argsort(stable=True)
    ordered = order[positions]
    at = torch.arange(len(order), device=order.device)
    is_first = torch.ones_like(ordered, dtype=torch.bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    nth = at - torch.where(is_first, at, 0).cummax(0).values
    return torch.empty_like(order).scatter_(0, positions, ordered + (nth << 32))


def batches(n: int, size: int, smallest: int = 2) -> list[slice]:
    """Rows of each step; a last batch that is too small joins the one before.

    BatchNorm cannot take a batch of one, nor a process a share of none.
    """
    starts = list(range(0, n, size))
    if n > size and n - starts[-1] < smallest:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], n], strict=True)]
