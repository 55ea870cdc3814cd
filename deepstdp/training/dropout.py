"""Dropout with a mask of our own, a function of (seed, epoch, sample)."""

from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.keyed_random import Stream, chance


def dropout_mask(
    keys: Int64[Tensor, "b"],
    n_features: int,
    probability: float,
    seed: int,
    epoch: int | Int64[Tensor, ""],
) -> Float[Tensor, "b {n_features}"]:
    """Zero with ``probability``, else what keeps the mean of the features."""
    dropped = chance(seed, Stream.DROPOUT, epoch, keys, n_features, probability)
    return (~dropped) / (1 - probability)
