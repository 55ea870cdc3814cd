"""Which images an epoch shows, in which order."""

from typing import Literal

import numpy as np
from jaxtyping import Int64

from deepstdp.keyed_random import Stream, numpy_generator

Indices = Int64[np.ndarray, "n"]


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
    generator = numpy_generator(seed, Stream.SAMPLER, epoch)
    if sampler == "shuffle":
        return generator.permutation(len(labels))
    drawn = _uniform_over_clusters(labels, generator)
    return drawn if sampler == "uniform" else np.argsort(labels, kind="stable")[drawn]


def _uniform_over_clusters(labels: Indices, generator: np.random.Generator) -> Indices:
    n = len(labels)
    by_cluster = np.argsort(labels, kind="stable")
    clusters = np.split(by_cluster, np.flatnonzero(np.diff(labels[by_cluster])) + 1)
    quota = n // len(clusters) + 1
    drawn = [generator.choice(members, quota, replace=len(members) < quota) for members in clusters]
    return generator.permutation(np.concatenate(drawn))[:n]


def occurrence_keys(order: Indices) -> Indices:
    """A key for each draw: the image's index, and in the high word how often it came before.

    An image that is drawn twice in an epoch is augmented in two ways.
    """
    sorted_positions = np.argsort(order, kind="stable")
    ordered = order[sorted_positions]
    first_of_run = np.r_[0, np.flatnonzero(np.diff(ordered)) + 1]
    run_lengths = np.diff(np.r_[first_of_run, len(order)])
    nth = np.arange(len(order)) - np.repeat(first_of_run, run_lengths)
    keys = np.empty_like(order)
    keys[sorted_positions] = ordered + (nth << 32)
    return keys


def batches(n: int, size: int) -> list[slice]:
    """Rows of each step; a last batch of one, which BatchNorm cannot take, joins the one before."""
    starts = list(range(0, n, size))
    if n > size and n - starts[-1] == 1:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], n], strict=True)]
