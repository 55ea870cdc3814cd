"""The fast engine for CUDA devices: fixed-point, four kernels in Triton (``cuda_kernels``).

The spikes of 32 steps are one word, drawn once and read by all that follow. Currents are a product
of matrices on int8 tensor cores, whose left side is made of the words' bits as it is needed. Then
a warp runs the competition of a sample with its membranes in registers. What plasticity needs of a
sample is, for each neuron that fired, a weighted sum of the bits of every word; samples meet in
integer atomics, which give the same sum in any order.
"""

from typing import Any

import torch
import triton
from jaxtyping import Int32, Int64
from torch import Tensor
from torch.nn import functional

from deepstdp.errors import UserError
from deepstdp.spiking.encoding import WORD_STEPS
from deepstdp.spiking.engines import cuda_kernels as kernels
from deepstdp.spiking.engines.base import Circuit, Response, Sums
from deepstdp.spiking.inputs import Input, RateInput

# To be tuned on a device; no result depends on them.
_DRAW_BLOCK, _DRAW_WARPS = 1024, 4
_CURRENT_SAMPLES, _CURRENT_CHANNELS, _MOST_CURRENT_NEURONS = 2, 64, 256
"""A tile of currents: 32 rows for each sample; so large that two fit into a multiprocessor."""

_CURRENT_WARPS, _CURRENT_STAGES = 4, 3
_NEURONS_PER_LANE = 16
_MOST_SUM_CHANNELS, _SUM_CHANNELS_PER_LANE = 256, 8
_LANES, _MOST_WARPS = 32, 16

_ALIGNMENT = 16
"""Rows of synapses and of currents start at multiples of this, to be read in whole vectors."""

_NO_FLOATS: dict[str, Any] = {"enable_fp_fusion": False}
"""Nothing to fuse; Triton 3.9 warns if the option is not given."""


class CUDAEngine:
    """Compiled by Triton on first use; with ``TRITON_INTERPRET=1``, slow and on any device."""

    def present(self, inputs: Input, circuit: Circuit, collect: bool) -> Response:
        """See ``Engine.present``. Waits for nothing on the device.

        Raises:
            UserError: floating-point arithmetic, which only the reference engine has.
        """
        if circuit.synapses.is_floating_point():
            raise UserError("the cuda engine computes in fixed point: engine reference has floats")
        with torch.cuda.device_of(circuit.synapses):  # where Triton launches
            words, n_input_spikes = _words(inputs, circuit.n_timesteps)
            winners, counts, margin = _competition(words, circuit)
            sums = _collect(inputs, words, winners, counts, circuit) if collect else None
        return Response(counts, margin, n_input_spikes, sums)


def interpreted() -> bool:
    """Whether Triton's interpreter runs the kernels, which needs no CUDA device."""
    return not isinstance(kernels.draw, triton.JITFunction)


def _words(inputs: Input, n_steps: int) -> tuple[Int32[Tensor, "b w i"], Int64[Tensor, ""]]:
    """Words of all channels, and how many bits of them are set."""
    n_words = -(-n_steps // WORD_STEPS)
    if isinstance(inputs, RateInput):
        given, low, high = inputs.signed.contiguous(), inputs.keys.low, inputs.keys.high
        n, p = given.shape
        n_channels = 2 * p
    else:
        given = low = high = inputs.words[:, :, :n_words].contiguous()
        n, p, _ = given.shape
        n_channels = p
    words = torch.empty(n, n_words, n_channels, dtype=torch.int32, device=given.device)
    n_input_spikes = torch.zeros((), dtype=torch.int64, device=given.device)
    kernels.draw[triton.cdiv(n * p, _DRAW_BLOCK),](
        given, low.contiguous(), high.contiguous(), words, n_input_spikes,
        n * p, p, n_steps, n_words, n_channels,
        RATES=isinstance(inputs, RateInput), BLOCK=_DRAW_BLOCK,
        num_warps=_DRAW_WARPS, **_NO_FLOATS,
    )  # fmt: skip
    return words, n_input_spikes


def _competition(
    words: Int32[Tensor, "b w i"], circuit: Circuit
) -> tuple[Int32[Tensor, "b t"], Int32[Tensor, "b k"], Int32[Tensor, "b k"]]:
    """Winners, counts and margins."""
    n, n_words, n_channels = words.shape
    k, n_steps = len(circuit.threshold), circuit.n_timesteps

    def empty(*shape: int, dtype: torch.dtype = torch.int32) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=words.device)

    pitch, width = _aligned(n_channels), _aligned(k)
    synapses = functional.pad(circuit.synapses, (0, pitch - n_channels)).contiguous()
    currents = empty(n, n_steps, width, dtype=torch.int16)
    tile = min(triton.next_power_of_2(width), _MOST_CURRENT_NEURONS)
    kernels.sum_currents[triton.cdiv(n, _CURRENT_SAMPLES), n_words, triton.cdiv(k, tile)](
        words, synapses, currents, n, n_steps, n_words, n_channels, pitch, k, width,
        SAMPLES=_CURRENT_SAMPLES, CHANNELS=_CURRENT_CHANNELS, NEURONS=tile,
        num_warps=_CURRENT_WARPS, num_stages=_CURRENT_STAGES, **_NO_FLOATS,
    )  # fmt: skip
    winners, margin = empty(n, n_steps), empty(n, k)
    counts = torch.zeros_like(margin)
    hard = circuit.inhibition is None
    block = triton.next_power_of_2(width)
    kernels.compete[n,](
        currents, circuit.threshold, circuit.threshold if hard else circuit.inhibition,
        winners, counts, margin, int(circuit.leak), n_steps, k, width,
        HARD=hard, BLOCK=block, num_warps=_n_warps(block, _NEURONS_PER_LANE), **_NO_FLOATS,
    )  # fmt: skip
    return winners, counts, margin


def _collect(
    inputs: Input,
    words: Int32[Tensor, "b w i"],
    winners: Int32[Tensor, "b t"],
    counts: Int32[Tensor, "b k"],
    circuit: Circuit,
) -> Sums:
    n, n_words, n_channels = words.shape
    k, rates = counts.shape[1], isinstance(inputs, RateInput)
    signed = inputs.signed.contiguous() if isinstance(inputs, RateInput) else words
    p = signed.shape[-1]
    steps = triton.next_power_of_2(circuit.n_timesteps)
    block = min(triton.next_power_of_2(p), _MOST_SUM_CHANNELS)

    def summed(kernel: Int32[Tensor, "t"], before: bool) -> Int32[Tensor, "k i"]:
        # int32 holds them: see ``config.spiking.MOST_STEPS_IN_BATCH``.
        total = torch.zeros(k, n_channels, dtype=torch.int32, device=words.device)
        kernels.sum_traces[n, triton.cdiv(p, block)](
            signed, words, winners, kernel, total, circuit.n_timesteps, n_words, n_channels, p,
            RATES=rates, BEFORE=before, STEPS=steps, BLOCK=block,
            num_warps=_n_warps(block, _SUM_CHANNELS_PER_LANE), **_NO_FLOATS,
        )  # fmt: skip
        return total

    return Sums(
        n_spikes=counts.sum(dim=0, dtype=torch.int64),
        pre_at_post=summed(circuit.pre_trace, before=False),
        post_at_pre=None if circuit.post_trace is None else summed(circuit.post_trace, before=True),
    )


def _aligned(size: int) -> int:
    return triton.cdiv(size, _ALIGNMENT) * _ALIGNMENT


def _n_warps(block: int, per_lane: int) -> int:
    return min(max(block // (_LANES * per_lane), 1), _MOST_WARPS)
