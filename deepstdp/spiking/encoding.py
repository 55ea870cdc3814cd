"""On/off rate coding: features become spike trains of 2P input channels.

A feature f drives two channels, r_on = clip(gain f, 0, 1) and r_off = clip(-gain f, 0, 1). One of
the two is always silent, so both are kept as one signed integer, in 1/65536 of a spike per step,
and as one word of spikes for each 32 steps: the sign says which of the two channels it belongs to.

This module defines every bit; an engine may compute the words in any way that gives the same.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int32, Int64, Shaped
from torch import Tensor

from deepstdp.keyed_random import MASK, Stream, key_words, mix, philox

FULL_RATE = 65536
"""The quantised rate of a channel that spikes in every step."""

RATE_BITS = 16
WORD_STEPS = 32
"""Steps whose spikes share a word."""


def automatic_gain(features: Float[Tensor, "n p"], input_spikes: float) -> float:
    """The gain at which a sample makes ``input_spikes`` spikes a step on average.

    No more than half as many as there are features, so that few rates are clipped. Clipping is
    not counted; features that are all zero get a gain of 1.
    """
    mean_rate = min(input_spikes / features.shape[1], 0.5)
    mean = features.abs().mean().item()
    return mean_rate / mean if mean > 0 else 1.0


def quantise(features: Float[Tensor, "n p"], gain: float) -> Int32[Tensor, "n p"]:
    """Signed rates: sign(f) round(65536 clip(gain |f|, 0, 1))."""
    rates = (features * gain).clamp_(-1, 1)  # in place: memory is what this waits for
    return rates.mul_(FULL_RATE).round_().to(torch.int32)


def on_off(signed: Int32[Tensor, "n p"]) -> Float[Tensor, "n 2*p"]:
    """Rates of the on channels, then of the off channels, in spikes per step."""
    rates = signed.to(torch.float32) / FULL_RATE
    return torch.cat([rates.clamp(min=0), (-rates).clamp(min=0)], dim=1)


@dataclass(frozen=True)
class SpikeKeys:
    """Two random 32-bit words for each sample: what its spikes are a function of.

    Attributes:
        low, high: (B,) each.
    """

    low: Int64[Tensor, "b"]
    high: Int64[Tensor, "b"]

    @classmethod
    def of(
        cls, seed: int, stream: Stream, low: Int64[Tensor, "b"], high: Int64[Tensor, "b"] | int
    ) -> "SpikeKeys":
        """Keys of samples that are identified by two words each."""
        zero = torch.zeros_like(low)
        first, second, *_ = philox((low, zero + high, zero, zero), key_words(seed, stream))
        return cls(first, second)

    def __getitem__(self, rows: slice) -> "SpikeKeys":
        return SpikeKeys(self.low[rows], self.high[rows])


def learning_keys(seed: int, n_pass: int, ids: Int64[Tensor, "b"]) -> SpikeKeys:
    """Keys for learning: new spikes for each sample in each pass."""
    return SpikeKeys.of(seed, Stream.LEARNING_SPIKES, ids & MASK, n_pass & MASK)


def label_keys(seed: int, ids: Int64[Tensor, "b"]) -> SpikeKeys:
    """Keys for labelling samples that are known by their number: the same in every epoch.

    A label changes because the features or the synapses have, not because the noise has.
    """
    return SpikeKeys.of(seed, Stream.LABEL_SPIKES, ids & MASK, 0)


def predict_keys(seed: int, signed: Int32[Tensor, "n p"]) -> SpikeKeys:
    """Keys for new samples: a hash of each one's own rates, so that equal inputs get equal labels.

    The hash is multilinear, sum_i (q_i + 65537) m_i modulo 2**64, with odd multipliers m_i drawn
    by Philox; its two halves identify the sample.
    """
    columns = torch.arange(signed.shape[1], device=signed.device)
    zero = torch.zeros_like(columns)
    low, high, *_ = philox((columns, zero, zero, zero), key_words(0, Stream.PREDICT_SPIKES))
    multipliers = ((high << 32) | low) | 1
    offset = (FULL_RATE + 1) * multipliers.sum()
    digest = (signed * multipliers).sum(dim=1) + offset
    return SpikeKeys.of(seed, Stream.PREDICT_SPIKES, digest & MASK, (digest >> 32) & MASK)


def spike_words(
    signed: Int32[Tensor, "b p"], keys: SpikeKeys, n_timesteps: int
) -> Int64[Tensor, "b p w"]:
    """Bernoulli spikes, 32 steps a word: bit t is set where the channel spikes in step t.

    A channel spikes where a 16-bit draw u lies below its rate q. Bit k of the draws of 32 steps
    is the complement of one hash r_k, so that all are compared at once, from the lowest bit up:
    m <- r_k | m where q has bit k, else m <- r_k & m.
    """
    rate = signed.abs().to(torch.int64)
    channels = torch.arange(signed.shape[1], device=signed.device)
    low, high = keys.low[:, None], keys.high[:, None]
    words = []
    for block, start in enumerate(range(0, n_timesteps, WORD_STEPS)):
        m = torch.zeros_like(rate)
        for k in range(RATE_BITS):
            # 20 bits number the channel and 12 the plane: see config.spiking.MAX_TIMESTEPS.
            counter = channels + ((block * RATE_BITS + k) << 20)
            r = mix((low + counter) & MASK, high)
            m = torch.where((rate >> k) & 1 == 1, r | m, r & m)
        m = torch.where(rate >= FULL_RATE, MASK, m)
        n_steps = min(WORD_STEPS, n_timesteps - start)
        words.append(m & ((1 << n_steps) - 1))
    return torch.stack(words, dim=2)


def unpack(words: Int64[Tensor, "b p w"], n_timesteps: int) -> Bool[Tensor, "b t p"]:
    """One entry a step."""
    steps = torch.arange(n_timesteps, device=words.device)
    bits = (words[:, :, steps // WORD_STEPS] >> (steps % WORD_STEPS)) & 1
    return bits.bool().transpose(1, 2)


def pack(spikes: Shaped[Tensor, "b t i"]) -> Int64[Tensor, "b i w"]:
    """Spikes (anything but zero) to words of 32 steps."""
    n, n_timesteps, n_channels = spikes.shape
    n_words = (n_timesteps + WORD_STEPS - 1) // WORD_STEPS
    words = torch.zeros(n, n_channels, n_words, dtype=torch.int64, device=spikes.device)
    for t in range(n_timesteps):
        words[:, :, t // WORD_STEPS] |= (spikes[:, t] != 0).to(torch.int64) << (t % WORD_STEPS)
    return words
