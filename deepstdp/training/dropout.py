"""Dropout with a mask of our own, a function of (seed, epoch, sample)."""

from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.keyed_random import Stream, uniform


def keyed_dropout(
    features: Float[Tensor, "b d"],
    keys: Int64[Tensor, "b"],
    probability: float,
    seed: int,
    epoch: int,
) -> Float[Tensor, "b d"]:
    """Set features to zero with ``probability`` and scale the others to keep the mean."""
    if probability == 0:
        return features
    draws = uniform(seed, Stream.DROPOUT, epoch, keys, features.shape[1])
    return features * (draws >= probability) / (1 - probability)
