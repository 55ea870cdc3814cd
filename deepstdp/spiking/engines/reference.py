"""The readable engine, which specifies what the others must do: torch operations, any device."""

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor
from torch.nn import functional

from deepstdp.config import STDPConfig
from deepstdp.spiking import neurons
from deepstdp.spiking.encoding import SpikeKeys, spike_trains
from deepstdp.spiking.engines.base import Response
from deepstdp.spiking.plasticity import SpikeSums, trace


class ReferenceEngine:
    """Spikes of all steps at once, their currents as one product, then the competition in time."""

    def present(
        self,
        signed_rates: Int32[Tensor, "b p"],
        keys: SpikeKeys,
        synapses: Float[Tensor, "k i"],
        threshold: Float[Tensor, "k"],
        v_threshold: float,
        config: STDPConfig,
        collect: bool,
    ) -> Response:
        """See ``Engine.present``."""
        spikes = spike_trains(signed_rates, keys, config.n_timesteps)
        trains = spikes.to(torch.float32)
        currents = trains @ synapses.T
        winners, v = compete(currents, threshold, v_threshold, config)
        k = len(synapses)
        # Column K takes the steps in which nobody fired.
        slots = torch.where(winners == neurons.NOBODY, k, winners)
        one_hot = functional.one_hot(slots, k + 1)[..., :k]
        return Response(
            counts=one_hot.sum(dim=1).to(torch.int32),
            margin=v - threshold,
            n_input_spikes=int(spikes.sum()),
            sums=collect_sums(trains, one_hot.to(torch.float32), config) if collect else None,
        )


def compete(
    currents: Float[Tensor, "b t k"],
    threshold: Float[Tensor, "k"],
    v_threshold: float,
    config: STDPConfig,
) -> tuple[Int64[Tensor, "b t"], Float[Tensor, "b k"]]:
    """Integrate and inhibit step by step.

    Returns:
        The winner of each step (-1 where nobody fired), and the last membrane potentials.
    """
    n_samples, n_timesteps, k = currents.shape
    leak = neurons.decay(config.dt, config.tau_mem)
    v = currents.new_zeros(n_samples, k)
    winners = torch.empty(n_samples, n_timesteps, dtype=torch.int64, device=currents.device)
    for t in range(n_timesteps):
        v = neurons.integrate(v, currents[:, t], leak)
        winner = neurons.winner_take_all(v, threshold)
        if config.inhibition == "hard":
            v = neurons.hard_inhibition(v, winner)
        else:
            v = neurons.graded_inhibition(v, winner, config.inhibition_strength * v_threshold)
        winners[:, t] = winner
    return winners, v


def collect_sums(
    trains: Float[Tensor, "b t i"], fired: Float[Tensor, "b t k"], config: STDPConfig
) -> SpikeSums:
    """The sums over samples and steps that plasticity needs, as matrix products."""
    post = fired.flatten(0, 1).T
    x = trace(trains, neurons.decay(config.dt, config.tau_pre))
    pre_at_post = post @ x.flatten(0, 1)
    post_at_pre = None
    if config.rule == "pair":
        y = trace(fired, neurons.decay(config.dt, config.tau_post))
        # An input and the spike that it causes fall into one step: y counts from the next step.
        y_before = functional.pad(y[:, :-1], (0, 0, 1, 0))
        post_at_pre = y_before.flatten(0, 1).T @ trains.flatten(0, 1)
    return SpikeSums(post.sum(dim=1), pre_at_post, post_at_pre)
