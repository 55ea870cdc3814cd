"""The kernels of the cuda engine, in Triton: all whole numbers, so that no order matters.

Tensors are passed as pointers to their first entries; shapes are B samples, T steps in W words,
P features or spike trains, I channels, K neurons.
"""

from typing import no_type_check

import triton
import triton.language as tl

from deepstdp.spiking.encoding import FULL_RATE, RATE_BITS, WORD_STEPS
from deepstdp.spiking.neurons import LEAK_BITS, NOBODY, V_MAX

# Kernels see only constants of this type.
_RATE_BITS, _FULL_RATE = tl.constexpr(RATE_BITS), tl.constexpr(FULL_RATE)
_WORD_STEPS = tl.constexpr(WORD_STEPS)
_LEAK_BITS, _V_MAX, _NOBODY = tl.constexpr(LEAK_BITS), tl.constexpr(V_MAX), tl.constexpr(NOBODY)
_NEVER = tl.constexpr(2**30)


@triton.jit
@no_type_check
def _mix(x, key):
    """``keyed_random.mix``."""
    x = x ^ (x >> 17)
    x = x * 0xED5AD4BB
    x = x ^ (x >> 11)
    x = x + key
    x = x * 0xAC4C1B51
    x = x ^ (x >> 15)
    x = x * 0x31848BAB
    return x ^ (x >> 14)


@triton.jit
@no_type_check
def _n_bits(x):
    """Bits that are set, summed in ever wider fields."""
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    return (x * 0x01010101 >> 24).to(tl.int32)


@triton.jit(do_not_specialize=["n_elements"])
@no_type_check
def draw(
    given, low, high, words, n_input_spikes, n_elements, p, n_steps, n_words, n_channels,
    RATES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``encoding.spike_words`` for on and off channels; spikes that are given only change place."""
    element = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    exists = element < n_elements
    sample = element // p
    i = element % p
    to = words + sample.to(tl.int64) * n_words * n_channels + i
    if RATES:
        signed = tl.load(given + element, mask=exists, other=0)
        rate = tl.abs(signed)
        start = tl.load(low + sample, mask=exists, other=0).to(tl.uint32) + i.to(tl.uint32)
        key = tl.load(high + sample, mask=exists, other=0).to(tl.uint32)
    n_spikes = tl.zeros([BLOCK], tl.int32)
    for w in range(n_words):
        if RATES:
            m = tl.zeros([BLOCK], tl.uint32)
            for bit in tl.static_range(_RATE_BITS):
                r = _mix(start + ((w * _RATE_BITS + bit) << 20), key)
                # All ones where the rate has the bit: then r | m, else r & m.
                has_bit = ((rate << (31 - bit)) >> 31).to(tl.uint32, bitcast=True)
                m = (r & m) | (has_bit & (r | m))
            m = tl.where(rate >= _FULL_RATE, 0xFFFFFFFF, m)
        else:
            at = given + element.to(tl.int64) * n_words + w
            m = tl.load(at, mask=exists, other=0).to(tl.uint32)
        n_spare = tl.maximum((w + 1) * _WORD_STEPS - n_steps, 0)
        m = (m << n_spare) >> n_spare
        n_spikes += tl.where(exists, _n_bits(m), 0)
        word = m.to(tl.int32, bitcast=True)
        if RATES:
            tl.store(to + w * n_channels, tl.where(signed > 0, word, 0), mask=exists)
            tl.store(to + w * n_channels + p, tl.where(signed < 0, word, 0), mask=exists)
        else:
            tl.store(to + w * n_channels, word, mask=exists)
    tl.atomic_add(n_input_spikes, tl.sum(n_spikes, axis=0).to(tl.int64), sem="relaxed")


@triton.jit(do_not_specialize=["n"])
@no_type_check
def sum_currents(
    words, synapses, currents, n, n_steps, n_words, n_channels, pitch, k, width,
    SAMPLES: tl.constexpr, CHANNELS: tl.constexpr, NEURONS: tl.constexpr,
):  # fmt: skip
    """I_j(t) = sum_i w_ij s_i(t) for some samples, the steps of one word, and some neurons.

    The products are int8 and their sums int32, exact in any order; ``plasticity.quantise`` keeps
    them within int16.
    """
    samples = tl.program_id(0) * SAMPLES + tl.arange(0, SAMPLES)
    w = tl.program_id(1)
    j = tl.program_id(2) * NEURONS + tl.arange(0, NEURONS)
    steps = tl.arange(0, _WORD_STEPS)
    words_at = words + (samples.to(tl.int64) * n_words + w)[:, None] * n_channels
    synapses_at = synapses + j.to(tl.int64)[None, :] * pitch
    total = tl.zeros([SAMPLES * _WORD_STEPS, NEURONS], tl.int32)
    for start in range(0, n_channels, CHANNELS):
        i = start + tl.arange(0, CHANNELS)
        exists = (samples < n)[:, None] & (i < n_channels)[None, :]
        word = tl.load(words_at + i[None, :], mask=exists, other=0)
        spikes = ((word[:, None, :] >> steps[None, :, None]) & 1).to(tl.int8)
        spikes = tl.reshape(spikes, [SAMPLES * _WORD_STEPS, CHANNELS])
        exists = (i < pitch)[:, None] & (j < k)[None, :]
        weights = tl.load(synapses_at + i[:, None], mask=exists, other=0)
        total = tl.dot(spikes, weights, total, out_dtype=tl.int32)
    row = tl.arange(0, SAMPLES * _WORD_STEPS)
    b = tl.program_id(0) * SAMPLES + row // _WORD_STEPS
    t = w * _WORD_STEPS + row % _WORD_STEPS
    to = currents + (b.to(tl.int64) * n_steps + t)[:, None] * width + j[None, :]
    exists = ((b < n) & (t < n_steps))[:, None] & (j < width)[None, :]
    tl.store(to, total.to(tl.int16), mask=exists)


@triton.jit
@no_type_check
def compete(
    currents, threshold, inhibition, winners, counts, margin, leak, n_steps, k, width,
    HARD: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``neurons.integrate``, ``winner_take_all`` and inhibition of one sample, step by step."""
    b = tl.program_id(0).to(tl.int64)
    j = tl.arange(0, BLOCK)
    # Neurons that only fill up the block never fire.
    limit = tl.load(threshold + j, mask=j < k, other=_NEVER)
    v = tl.zeros([BLOCK], tl.int32)
    currents_at = currents + b * n_steps * width + j
    current = tl.load(currents_at, mask=j < width, other=0)
    for t in range(n_steps):
        v = tl.minimum((v * leak >> _LEAK_BITS) + current, _V_MAX)
        # The next step's currents travel during the search for the winner.
        ahead = tl.minimum(t + 1, n_steps - 1)
        current = tl.load(currents_at + ahead * width, mask=j < width, other=0)
        best, first = tl.max(v - limit, axis=0, return_indices=True)  # of equals the first
        tl.store(winners + b * n_steps + t, tl.where(best >= 0, first, _NOBODY))
        if best >= 0:
            tl.atomic_add(counts + b * k + first, 1, sem="relaxed")
            if HARD:
                v = tl.zeros([BLOCK], tl.int32)
            else:
                v = tl.where(j == first, 0, tl.maximum(v - tl.load(inhibition), 0))
    tl.store(margin + b * k + j, v - limit, mask=j < k)


@triton.jit
@no_type_check
def _worth(winners, kernel, j, w, n_steps, BEFORE: tl.constexpr):
    """What a presynaptic spike in each step of word w is worth for neuron j of one sample."""
    s = w * _WORD_STEPS + tl.arange(0, _WORD_STEPS)
    worth = tl.zeros([_WORD_STEPS], tl.int32)
    begin = 0 if BEFORE else w * _WORD_STEPS
    end = tl.minimum((w + 1) * _WORD_STEPS, n_steps) if BEFORE else n_steps
    for start in range(begin, end, _WORD_STEPS):
        t = start + tl.arange(0, _WORD_STEPS)
        fired = tl.load(winners + t, mask=t < n_steps, other=_NOBODY) == j
        lag = t[None, :] - s[:, None]
        if BEFORE:
            lag = -1 - lag
        counts = fired[None, :] & (lag >= 0) & (lag < n_steps)
        worth += tl.sum(tl.load(kernel + lag, mask=counts, other=0), axis=1)
    return worth


@triton.jit
@no_type_check
def sum_traces(
    signed, words, winners, kernel, total, n_steps, n_words, n_channels, p,
    RATES: tl.constexpr, BEFORE: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add to total[j, i] the traces of i at the spikes of j in one sample.

    A spike of i at step s adds sum_t kernel(t - s) over the later (or equal) spikes t of j; with
    ``BEFORE``, sum_t kernel(s - 1 - t) over the earlier ones.
    """
    b = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    exists = i < p
    channel = i
    if RATES:
        # The other channel of the pair is silent.
        channel += tl.where(tl.load(signed + b * p + i, mask=exists, other=0) > 0, 0, p)
    words_at = words + b * n_words * n_channels + channel
    winners_at = winners + b * n_steps
    steps = tl.arange(0, STEPS)
    left = tl.load(winners_at + steps, mask=steps < n_steps, other=_NOBODY)
    j = tl.max(left, axis=0)
    while j >= 0:
        gathered = tl.zeros([BLOCK], tl.int32)
        for w in range(n_words):
            worth = _worth(winners_at, kernel, j, w, n_steps, BEFORE)
            word = tl.load(words_at + w * n_channels, mask=exists, other=0)
            spikes = (word[None, :] >> tl.arange(0, _WORD_STEPS)[:, None]) & 1
            gathered += tl.sum(worth[:, None] * spikes, axis=0)
        to = total + j.to(tl.int64) * n_channels + channel
        tl.atomic_add(to, gathered, mask=exists & (gathered != 0), sem="relaxed")
        left = tl.where(left == j, _NOBODY, left)
        j = tl.max(left, axis=0)
