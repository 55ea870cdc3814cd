"""The fast engine for the CPU: compiled, event-driven, multi-threaded, fixed-point.

Three ideas carry it. The spikes of 32 steps are one word, made by vector instructions. A channel
adds its int8 synapses to the currents of just those steps in which it spikes. And what plasticity
needs of a sample is, for each neuron that fired, a weighted sum of the bits of every word.
"""

import numba
import numpy as np
import torch
from torch import Tensor

from deepstdp.errors import UserError
from deepstdp.processes import torch_threads_kept
from deepstdp.spiking.encoding import WORD_STEPS
from deepstdp.spiking.engines import cpu_kernels as kernels
from deepstdp.spiking.engines.base import Circuit, Response, Sums
from deepstdp.spiking.inputs import Input, RateInput
from deepstdp.spiking.neurons import NOBODY

_LANES = 64
"""Neurons are padded to whole vectors; those added have a threshold that nothing reaches."""

_CHUNKS_PER_THREAD = 4


class CPUEngine:
    """Compiled by numba on first use; as many threads as ``numba.get_num_threads()``."""

    @torch_threads_kept()
    def present(self, inputs: Input, circuit: Circuit, collect: bool) -> Response:
        """See ``Engine.present``.

        Raises:
            UserError: floating-point arithmetic, which only the reference engine has.
        """
        if circuit.synapses.is_floating_point():
            raise UserError("the cpu engine computes in fixed point: engine reference has floats")
        k, n_channels = circuit.synapses.shape
        n, n_steps = len(inputs), circuit.n_timesteps
        signed, words = _words(inputs, n_steps)
        width = -(-k // _LANES) * _LANES
        by_channel = np.zeros((n_channels, width), np.int8)
        by_channel[:, :k] = circuit.synapses.numpy().T
        threshold = np.full(width, kernels.NEVER, np.int32)
        threshold[:k] = circuit.threshold.numpy()
        winners = np.empty((n, n_steps), np.int32)
        counts, margin = np.zeros((n, k), np.int32), np.empty((n, k), np.int32)
        inhibition = NOBODY if circuit.inhibition is None else int(circuit.inhibition)
        kernels.competition(width)(
            signed, words, by_channel, threshold, np.int32(circuit.leak), np.int32(inhibition),
            _n_chunks(n), winners, counts, margin,
        )  # fmt: skip
        sums = _collect(signed, words, winners, counts, n_channels, circuit) if collect else None
        return Response(
            counts=torch.from_numpy(counts),
            margin=torch.from_numpy(margin),
            n_input_spikes=torch.from_numpy(np.bitwise_count(words)).sum(),
            sums=sums,
        )


def _words(inputs: Input, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Signs (B, P) that choose each word's channel, and the words (B, W, P)."""
    if not isinstance(inputs, RateInput):
        words = inputs.words.numpy().astype(np.uint32).transpose(0, 2, 1)
        return np.ones(words.shape[::2], np.int32), np.ascontiguousarray(words)
    signed = inputs.signed.contiguous().numpy()
    n, p = signed.shape
    words = np.zeros((n, -(-n_steps // WORD_STEPS), p), np.uint32)
    low, high = (key.numpy().astype(np.uint32) for key in (inputs.keys.low, inputs.keys.high))
    kernels.draw(signed, low, high, n_steps, _n_chunks(n), words)
    return signed, words


def _n_chunks(n: int) -> int:
    return min(n, _CHUNKS_PER_THREAD * numba.get_num_threads())


def _collect(
    signed: np.ndarray,
    words: np.ndarray,
    winners: np.ndarray,
    counts: np.ndarray,
    n_channels: int,
    circuit: Circuit,
) -> Sums:
    k, p = counts.shape[1], signed.shape[1]
    n_blocks = min(numba.get_num_threads(), -(-p // _LANES))

    def summed(kernel: Tensor, before: bool) -> Tensor:
        total = np.zeros((k, n_channels), np.int32)
        kernels.sum_traces(signed, words, winners, kernel.numpy(), before, n_blocks, total)
        return torch.from_numpy(total)

    return Sums(
        n_spikes=torch.from_numpy(counts.sum(axis=0, dtype=np.int64)),
        pre_at_post=summed(circuit.pre_trace, before=False),
        post_at_pre=None if circuit.post_trace is None else summed(circuit.post_trace, before=True),
    )
