"""The compiled simulation of a layer of integrate-and-fire neurons; numba infers the types.

Shapes are B samples, T steps; H x W x C inputs and Y x X x O neurons, channels last.
"""

from typing import no_type_check

import numpy as np
from numba import njit, prange

f32 = np.float32


@njit(parallel=True, cache=True)
@no_type_check
def fire(spikes, constant, weight, geometry, threshold, start, hard, most, lowest, fired):
    """Present spikes and constant currents; write who fires.

    A spike adds its column of weights to the membranes it reaches, so that the work is that of the
    spikes there are.

    Args:
        spikes: (B, T, H W C) uint8; how often each input spikes in a step.
        constant: (B or 1, Y X O) float32, currents that are added in each step.
        weight: (C, k, l, O) float32.
        geometry: W, Y, X, stride, padding.
        threshold: of all neurons.
        start: membranes before the first step.
        hard: whether a spike resets the membrane to 0; else it takes the threshold away.
        most: spikes of a neuron in a step.
        lowest: potential of a membrane.
        fired: (B, T, Y X O) uint8, of zeros.
    """
    n, n_steps, _ = spikes.shape
    n_neurons = constant.shape[1]
    for b in prange(n):
        v = np.full(n_neurons, start, f32)
        current = constant[min(np.int64(b), len(constant) - 1)]
        for t in range(n_steps):
            for j in range(n_neurons):
                v[j] += current[j]
            _add_spikes(v, spikes[b, t], weight, geometry)
            out = fired[b, t]
            for j in range(n_neurons):
                if v[j] >= threshold:
                    count = f32(1) if most == 1 else min(np.floor(v[j] / threshold), f32(most))
                    out[j] = np.uint8(count)
                    v[j] = f32(0) if hard else v[j] - count * threshold
                elif v[j] < lowest:
                    v[j] = lowest


@njit(inline="always")
@no_type_check
def _add_spikes(v, spikes, weight, geometry):
    if len(spikes) % 8 == 0:  # most groups of eight are silent
        words = spikes.view(np.uint64)
        for word in range(len(words)):
            if words[word]:
                for i in range(8 * word, 8 * word + 8):
                    if spikes[i]:
                        _add_spike(v, i, spikes[i], weight, geometry)
    else:
        for i in range(len(spikes)):
            if spikes[i]:
                _add_spike(v, i, spikes[i], weight, geometry)


@njit(inline="always")
@no_type_check
def _add_spike(v, i, count, weight, geometry):
    n_in, height_k, width_k, n_out = weight.shape
    width, n_y, n_x, stride, padding = geometry
    channel, place = i % n_in, i // n_in
    times = f32(count)
    top, left = place // width + padding, place % width + padding
    for ky in range(height_k):
        y = top - ky
        if y < 0 or y % stride or y // stride >= n_y:
            continue
        for kx in range(width_k):
            x = left - kx
            if x < 0 or x % stride or x // stride >= n_x:
                continue
            first = (y // stride * n_x + x // stride) * n_out
            membranes, column = v[first : first + n_out], weight[channel, ky, kx]
            for o in range(n_out):
                membranes[o] += times * column[o]
