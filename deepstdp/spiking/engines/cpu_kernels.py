"""The compiled parts of the cpu engine; numba infers their types.

Shapes are B samples, T steps in W words, P features or spike trains, I channels, K neurons, padded
to whole vectors.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import no_type_check

import numpy as np
from llvmlite import ir
from numba import njit, prange
from numba.extending import intrinsic

from deepstdp.spiking.encoding import RATE_BITS, WORD_STEPS
from deepstdp.spiking.neurons import LEAK_BITS, NOBODY, V_MAX

NEVER = 2**30
"""The threshold of neurons that only fill up a vector."""

i32, u32 = np.int32, np.uint32


@intrinsic
@no_type_check
def _lowest_bit(typing_context, x):
    """Position of the lowest bit that is set."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return x(x), generate


@njit(inline="always")
@no_type_check
def _mix(x, key):
    """``keyed_random.mix``."""
    x = u32(x ^ (x >> u32(17)))
    x = u32(x * u32(0xED5AD4BB))
    x = u32(x ^ (x >> u32(11)))
    x = u32(x + key)
    x = u32(x * u32(0xAC4C1B51))
    x = u32(x ^ (x >> u32(15)))
    x = u32(x * u32(0x31848BAB))
    return u32(x ^ (x >> u32(14)))


@njit(parallel=True, cache=True)
@no_type_check
def draw(signed, low, high, n_steps, n_chunks, words):
    """``encoding.spike_words``."""
    n, p = signed.shape
    for chunk in prange(n_chunks):
        for b in range(chunk * n // n_chunks, (chunk + 1) * n // n_chunks):
            for block in range(words.shape[1]):
                _draw_block(signed[b], low[b], high[b], block, n_steps, words[b, block])


@njit
@no_type_check
def _draw_block(signed, low, high, block, n_steps, out):
    p = len(signed)
    for k in range(RATE_BITS):
        start = u32(low + u32((block * RATE_BITS + k) << 20))
        bit = u32(k)
        for i in range(p):
            rate = u32(abs(signed[i]))
            r = _mix(u32(start + u32(i)), high)
            has_bit = u32(u32(0) - u32((rate >> bit) & u32(1)))
            # r | m where the rate has the bit, else r & m.
            out[i] = u32((out[i] & r) | (has_bit & (out[i] ^ r)))
    left = min(n_steps - block * WORD_STEPS, WORD_STEPS)
    kept = u32((1 << left) - 1)
    for i in range(p):
        always = u32(u32(0) - (u32(abs(signed[i])) >> u32(RATE_BITS)))
        out[i] = u32((out[i] | always) & kept)


@lru_cache
def competition(width: int) -> Callable[..., None]:
    """Currents and winner-take-all of every sample, compiled for a padded K.

    Inner loops of known length become straight vector code.
    """

    # One function, not two: numba's cache on disk takes no closure over another compiled one.
    @njit(parallel=True, cache=True)
    @no_type_check
    def compete(
        signed, words, synapses, threshold, leak, inhibition,
        n_chunks, winners, counts, margin,
    ):  # fmt: skip
        n, n_steps = winners.shape
        p = signed.shape[1]
        for chunk in prange(n_chunks):
            currents = np.empty((n_steps, width), np.int16)
            v = np.empty(width, np.int32)
            for b in range(chunk * n // n_chunks, (chunk + 1) * n // n_chunks):
                # I_j(t) = sum_i w_ij s_i(t), event by event; int16 holds it (plasticity.quantise).
                currents[:] = 0
                signs = signed[b]
                for block in range(words.shape[1]):
                    steps, words_here = currents[block * WORD_STEPS :], words[b, block]
                    for i in range(p):
                        word = words_here[i]
                        if word == 0:
                            continue
                        row = synapses[i if signs[i] > 0 else i + p]
                        while word:
                            current = steps[_lowest_bit(word)]
                            word &= word - u32(1)
                            for j in range(width):
                                current[j] += row[j]
                _run(currents, threshold, leak, inhibition, v, winners[b], counts[b])
                for j in range(counts.shape[1]):
                    margin[b, j] = v[j] - threshold[j]

    return compete


@njit
@no_type_check
def _run(currents, threshold, leak, inhibition, v, winners, counts):
    """``neurons.integrate``, ``winner_take_all`` and inhibition, step by step."""
    n_steps, width = currents.shape
    v[:] = 0
    for t in range(n_steps):
        best = i32(-NEVER)
        current = currents[t]
        for j in range(width):
            x = i32(i32(i32(v[j] * leak) >> LEAK_BITS) + current[j])
            v[j] = x = min(x, i32(V_MAX))
            best = max(best, i32(x - threshold[j]))
        winners[t] = NOBODY
        if best < 0:
            continue
        winner = 0
        while v[winner] - threshold[winner] != best:
            winner += 1
        winners[t] = winner
        counts[winner] += 1
        if inhibition < 0:
            v[:] = 0
        else:
            for j in range(width):
                v[j] = max(i32(v[j] - inhibition), i32(0))
            v[winner] = 0


@njit(parallel=True, cache=True)
@no_type_check
def sum_traces(signed, words, winners, kernel, before, n_blocks, total):
    """Add to total[j, i] the traces of i at the spikes of j; each thread has channels of its own.

    A spike of i at step s adds sum_t kernel(t - s) over the later (or equal) spikes t of j; with
    ``before``, sum_t kernel(s - 1 - t) over the earlier ones.
    """
    n, n_steps = winners.shape
    p = signed.shape[1]
    for part in prange(n_blocks):
        start, stop = part * p // n_blocks, (part + 1) * p // n_blocks
        worth = np.empty(n_steps, np.int32)
        gathered = np.empty(stop - start, np.int32)
        for b in range(n):
            for t in range(n_steps):
                j = winners[b, t]
                if j < 0 or _is_in(j, winners[b, :t]):
                    continue
                _weigh_steps(winners[b], j, kernel, before, worth)
                _weigh_bits(words[b], start, worth, gathered)
                signs = signed[b, start:stop]
                _add_where(gathered, signs, True, total[j, start:stop])
                if total.shape[1] > p:
                    _add_where(gathered, signs, False, total[j, p + start : p + stop])


@njit
@no_type_check
def _add_where(values, signs, on, total):
    for i in range(len(values)):
        chosen = (signs[i] > 0) == on
        total[i] += values[i] if chosen else i32(0)


@njit
@no_type_check
def _is_in(j, earlier):
    found = False
    for other in earlier:
        found |= other == j
    return found


@njit
@no_type_check
def _weigh_steps(winners, j, kernel, before, worth):
    """What a presynaptic spike in each step is worth for neuron j."""
    worth[:] = 0
    n_steps = len(winners)
    for t in range(n_steps):
        if winners[t] != j:
            continue
        if before:
            for s in range(t + 1, n_steps):
                worth[s] += kernel[s - 1 - t]
        else:
            for s in range(t + 1):
                worth[s] += kernel[t - s]


@njit
@no_type_check
def _weigh_bits(words, start, worth, gathered):
    """gathered_i = sum_s worth(s) s_i(s)."""
    gathered[:] = 0
    for s in range(len(worth)):
        value = worth[s]
        if value == 0:
            continue
        row, bit = words[s // WORD_STEPS, start:], u32(s % WORD_STEPS)
        for i in range(len(gathered)):
            spike = u32(u32(row[i] >> bit) & u32(1))
            gathered[i] += i32(value * i32(spike))
