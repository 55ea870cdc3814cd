"""The readable engine, which specifies what the others must do: torch operations, any device."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional

from deepstdp.spiking import neurons
from deepstdp.spiking.engines.base import Circuit, Response, Sums
from deepstdp.spiking.inputs import Input


class ReferenceEngine:
    """Spikes of all steps at once, their currents as one product, then the competition in time."""

    def present(self, inputs: Input, circuit: Circuit, collect: bool) -> Response:
        """See ``Engine.present``."""
        trains = inputs.trains(circuit.n_timesteps)
        winners, v = compete(currents_of(trains, circuit), circuit)
        k = len(circuit.threshold)
        # Column K takes the steps in which nobody fired.
        slots = torch.where(winners == neurons.NOBODY, k, winners)
        fired = functional.one_hot(slots, k + 1)[..., :k]
        return Response(
            counts=fired.sum(dim=1).to(torch.int32),
            margin=v - circuit.threshold,
            n_input_spikes=trains.sum(),
            sums=collect_sums(trains.double(), fired.double(), circuit) if collect else None,
        )


def currents_of(trains: Bool[Tensor, "b t i"], circuit: Circuit) -> Shaped[Tensor, "b t k"]:
    """I_j(t) = sum_i w_ij s_i(t)."""
    # Whole numbers below 2**24: a product of floats is exact.
    currents = trains.to(torch.float32) @ circuit.synapses.to(torch.float32).T
    return currents.to(circuit.threshold.dtype)


def compete(
    currents: Shaped[Tensor, "b t k"], circuit: Circuit
) -> tuple[Int64[Tensor, "b t"], Shaped[Tensor, "b k"]]:
    """Integrate and inhibit step by step.

    Returns:
        The winner of each step (-1 where nobody fired), and the last membrane potentials.
    """
    v = currents.new_zeros(len(currents), currents.shape[2])
    winners = torch.empty(currents.shape[:2], dtype=torch.int64, device=currents.device)
    for t, (_, winner, after) in enumerate(competition(currents, circuit)):
        winners[:, t], v = winner, after
    return winners, v


def competition(
    currents: Shaped[Tensor, "b t k"], circuit: Circuit
) -> Iterator[tuple[Shaped[Tensor, "b k"], Int64[Tensor, "b"], Shaped[Tensor, "b k"]]]:
    """Each step's potentials before anybody fires, its winner, and the potentials after it."""
    v = currents.new_zeros(len(currents), currents.shape[2])
    for current in currents.unbind(dim=1):
        before = neurons.integrate(v, current, circuit.leak)
        winner = neurons.winner_take_all(before, circuit.threshold)
        if circuit.inhibition is None:
            v = neurons.hard_inhibition(before, winner)
        else:
            v = neurons.graded_inhibition(before, winner, circuit.inhibition)
        yield before, winner, v


def trace(spikes: Float[Tensor, "b t i"], kernel: Shaped[Tensor, "t"]) -> Float[Tensor, "b t i"]:
    """x(t) = sum_d kernel(d) s(t - d): filtered spikes, those of the same step included."""
    steps = torch.arange(len(kernel), device=spikes.device)
    lags = steps[:, None] - steps[None, :]
    filter_ = torch.where(lags >= 0, kernel.to(spikes.dtype)[lags.clamp(min=0)], 0.0)
    return torch.einsum("ts,bsi->bti", filter_, spikes)


def collect_sums(
    trains: Float[Tensor, "b t i"], fired: Float[Tensor, "b t k"], circuit: Circuit
) -> Sums:
    """The sums over samples and steps that plasticity needs, as products of matrices."""
    pre_at_post = fired.flatten(0, 1).T @ trace(trains, circuit.pre_trace).flatten(0, 1)
    post_at_pre = None
    if circuit.post_trace is not None:
        y = trace(fired, circuit.post_trace)
        # An input and the spike that it causes fall into one step: y counts from the next step.
        y_before = functional.pad(y[:, :-1], (0, 0, 1, 0))
        post_at_pre = y_before.flatten(0, 1).T @ trains.flatten(0, 1)
    return Sums(fired.sum(dim=(0, 1)).to(torch.int64), pre_at_post, post_at_pre)
