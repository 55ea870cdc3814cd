"""Random numbers that are a function of a key and a counter, never of a stream.

What a sample gets depends on (seed, stream, epoch, sample id) alone: not on the order of samples,
the split into batches, the number of threads or the device. The generator is Philox 4x32-10
(Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
"""

from enum import IntEnum

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

MASK = 0xFFFFFFFF
_MULTIPLIER_0, _MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
_WEYL_0, _WEYL_1 = 0x9E3779B9, 0xBB67AE85

Word = Int64[Tensor, "..."]
Counter = tuple[Word, Word, Word, Word]


class Stream(IntEnum):
    """What the numbers are for: two uses never share a number."""

    SPLIT = 1
    INITIAL_WEIGHTS = 2
    HEAD = 3
    SAMPLER = 4
    AUGMENTATION = 5
    DROPOUT = 6
    CLUSTERING = 7
    LEARNING_SPIKES = 8
    LABEL_SPIKES = 9
    PREDICT_SPIKES = 10
    EXAMPLES = 11
    SYNAPSE_NOISE = 12
    TUNING = 13
    SUBSPACE = 14
    HELD = 15
    FEW_LABELS = 16
    IMAGE_SPIKES = 17
    CALIBRATION = 18
    OWN_LAYERS = 19


def philox(counter: Counter, key: tuple[int, int]) -> Counter:
    """Ten rounds of Philox 4x32.

    Args:
        counter: four broadcastable int64 tensors, each holding a 32-bit word.
        key: two 32-bit words.

    Returns:
        Four int64 tensors of 32 random bits each, of the broadcast shape.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # int64 products wrap modulo 2**64, which leaves every bit of the unsigned product right.
        product_0, product_1 = c0 * _MULTIPLIER_0, c2 * _MULTIPLIER_1
        c0, c1, c2, c3 = (
            ((product_1 >> 32) & MASK) ^ c1 ^ k0,
            product_1 & MASK,
            ((product_0 >> 32) & MASK) ^ c3 ^ k1,
            product_0 & MASK,
        )
        k0, k1 = (k0 + _WEYL_0) & MASK, (k1 + _WEYL_1) & MASK
    return c0, c1, c2, c3


def key_words(seed: int, stream: Stream) -> tuple[int, int]:
    """The Philox key of a stream: the seed's low word, and its high word mixed with the stream."""
    return seed & MASK, ((seed >> 32) ^ (stream * _WEYL_1)) & MASK


def uniform(
    seed: int,
    stream: Stream,
    epoch: int | Int64[Tensor, ""],
    ids: Int64[Tensor, "b"],
    n_draws: int,
) -> Float[Tensor, "b {n_draws}"]:
    """Uniform numbers in [0, 1), multiples of 2**-24: ``n_draws`` for each id.

    Args:
        seed: the run's seed.
        stream: what the numbers are for.
        epoch: the epoch, or any number that must renew the draws; as a tensor it does not make
            ``torch.compile`` start anew.
        ids: identity of each sample, below 2**63, on the device where the numbers are wanted.
        n_draws: numbers per sample.
    """
    blocks = torch.arange((n_draws + 3) // 4, device=ids.device)
    id_column = ids[:, None]
    epoch_word = torch.zeros_like(blocks) + (epoch & MASK)
    words = philox(
        (blocks[None, :], epoch_word[None, :], id_column & MASK, (id_column >> 32) & MASK),
        key_words(seed, stream),
    )
    bits = torch.stack(words, dim=-1).flatten(1)[:, :n_draws]
    return (bits >> 8).to(torch.float32) * 2.0**-24


def mix(x: Int64[Tensor, "..."], key: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    """A 32-bit hash of ``x``, for many draws under one key.

    Three multiplications and shifts, with a key word added between them. Constants of Wellons'
    ``triple32``, whose avalanche is nearly that of a random function. Keys need none: they come
    from Philox.
    """
    x = x ^ (x >> 17)
    x = (x * 0xED5AD4BB) & MASK
    x = x ^ (x >> 11)
    x = (x + key) & MASK
    x = (x * 0xAC4C1B51) & MASK
    x = x ^ (x >> 15)
    x = (x * 0x31848BAB) & MASK
    return x ^ (x >> 14)


def chance(
    seed: int,
    stream: Stream,
    epoch: int | Int64[Tensor, ""],
    ids: Int64[Tensor, "b"],
    n_draws: int,
    probability: float,
) -> Bool[Tensor, "b {n_draws}"]:
    """Whether something happens, so many times for each id: Philox keys a hash of the position.

    Args:
        seed: as all that follows in ``uniform``.
        stream: what the numbers are for.
        epoch: the epoch, also as a tensor.
        ids: identity of each sample.
        n_draws: per sample; ten times as fast as ``uniform``.
        probability: that it happens, to 2**-32.
    """
    epoch_word = torch.zeros_like(ids) + (epoch & MASK)
    counter = (torch.zeros_like(ids), epoch_word, ids & MASK, (ids >> 32) & MASK)
    low, high, *_ = philox(counter, key_words(seed, stream))
    positions = torch.arange(n_draws, device=ids.device)
    bits = mix((low[:, None] + positions) & MASK, high[:, None])
    return bits < round(probability * 2**32)


def numpy_generator(seed: int, stream: Stream, *counters: int) -> np.random.Generator:
    """A NumPy generator of its own for a draw that concerns a whole epoch, not one sample."""
    return np.random.Generator(np.random.Philox(_seed_sequence(seed, stream, counters)))


def torch_generator(seed: int, stream: Stream, *counters: int) -> torch.Generator:
    """A torch generator of its own (on the CPU), for the initial weights of a layer."""
    state = _seed_sequence(seed, stream, counters).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) | int(state[1] & 0x7FFFFFFF) << 32)


def _seed_sequence(seed: int, stream: Stream, counters: tuple[int, ...]) -> np.random.SeedSequence:
    # The number of counters is part of the key: trailing zeros alone would not tell them apart.
    return np.random.SeedSequence(seed, spawn_key=(stream, len(counters), *counters))
