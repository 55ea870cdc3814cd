"""On/off rate coding: features become spike trains of 2P input channels.

A feature f drives two channels, r_on = clip(gain f, 0, 1) and r_off = clip(-gain f, 0, 1). One of
the two is always zero, so both are kept as one signed integer, in 1/65536 of a spike per step:
the sign says which channel, and the channel spikes in a step when a 16-bit draw lies below it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int32, Int64
from torch import Tensor

from deepstdp.keyed_random import Stream, key_words, philox

FULL_RATE = 65536
"""The quantised rate of a channel that spikes in every step."""

_MASK = 0xFFFFFFFF
_DRAWS_PER_CALL = 8
"""One Philox call gives 128 bits: the 16-bit draws of a channel in 8 consecutive steps."""


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
    return (features * gain).clamp(-1, 1).mul(FULL_RATE).round().to(torch.int32)


def on_off(signed: Int32[Tensor, "n p"]) -> Float[Tensor, "n 2*p"]:
    """Rates of the on channels, then of the off channels, in spikes per step."""
    rates = signed.to(torch.float32) / FULL_RATE
    return torch.cat([rates.clamp(min=0), (-rates).clamp(min=0)], dim=1)


@dataclass(frozen=True)
class SpikeKeys:
    """What identifies the spikes of each sample of a batch.

    Attributes:
        seed: the clusterer's seed.
        stream: learning or labelling.
        low, high: (B,) two words for each sample.
    """

    seed: int
    stream: Stream
    low: Int64[Tensor, "b"]
    high: Int64[Tensor, "b"]

    def __getitem__(self, rows: slice) -> "SpikeKeys":
        return SpikeKeys(self.seed, self.stream, self.low[rows], self.high[rows])


def learning_keys(seed: int, n_pass: int, ids: Int64[Tensor, "b"]) -> SpikeKeys:
    """Keys for learning: new spikes for each sample in each pass."""
    high = torch.full_like(ids, n_pass & _MASK)
    return SpikeKeys(seed, Stream.LEARNING_SPIKES, ids & _MASK, high)


def label_keys(seed: int, n_samples: int, device: torch.device) -> SpikeKeys:
    """Keys for labelling the samples that are learnt from: the same in every epoch.

    A label changes because the features or the synapses have, not because the noise has.
    """
    ids = torch.arange(n_samples, device=device)
    return SpikeKeys(seed, Stream.LABEL_SPIKES, ids & _MASK, torch.zeros_like(ids))


def predict_keys(seed: int, signed: Int32[Tensor, "n p"]) -> SpikeKeys:
    """Keys for new samples: a hash of each one's own rates, so that equal inputs get equal labels.

    The hash is multilinear, sum_i (q_i + 65537) m_i modulo 2**64, with odd multipliers m_i drawn
    by Philox; its two halves key the spikes.
    """
    columns = torch.arange(signed.shape[1], device=signed.device)
    zero = torch.zeros_like(columns)
    low, high, *_ = philox((columns, zero, zero, zero), key_words(0, Stream.PREDICT_SPIKES))
    multipliers = ((high << 32) | low) | 1
    digest = ((signed.to(torch.int64) + FULL_RATE + 1) * multipliers).sum(dim=1)
    return SpikeKeys(seed, Stream.PREDICT_SPIKES, digest & _MASK, (digest >> 32) & _MASK)


def spike_trains(
    signed: Int32[Tensor, "b p"], keys: SpikeKeys, n_timesteps: int
) -> Bool[Tensor, "b t 2*p"]:
    """Bernoulli spikes of the on and off channels in T steps.

    s_i(t) = 1 where u_i(t) < q_i, with u a 16-bit draw of (keys, channel i, step t).
    """
    draws = _draws(signed.shape[1], keys, n_timesteps)
    rates = signed[:, None, :]
    return torch.cat([draws < rates, draws < -rates], dim=2)


def _draws(n_channels: int, keys: SpikeKeys, n_timesteps: int) -> Int32[Tensor, "b t {n_channels}"]:
    device = keys.low.device
    n_calls = (n_timesteps + _DRAWS_PER_CALL - 1) // _DRAWS_PER_CALL
    calls = torch.arange(n_calls, device=device)[None, :, None]
    channels = torch.arange(n_channels, device=device)[None, None, :]
    words = philox(
        (channels, calls, keys.low[:, None, None], keys.high[:, None, None]),
        key_words(keys.seed, keys.stream),
    )
    halves = [half for word in words for half in (word & 0xFFFF, word >> 16)]
    draws = torch.stack([half.to(torch.int32) for half in halves], dim=2)
    return draws.flatten(1, 2)[:, :n_timesteps]
