"""The spiking clustering layer: K neurons, their synapses and thresholds."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from deepstdp.config import STDPConfig
from deepstdp.spiking import plasticity
from deepstdp.spiking.encoding import SpikeKeys
from deepstdp.spiking.engines import Engine, Response
from deepstdp.spiking.homeostasis import adapt

_SMALLEST_THRESHOLD = 0.01


@dataclass
class LayerState:
    """What the layer has learnt, and the scales it took from the data when it was made.

    Attributes:
        synapses: (K, 2P), rows of unit L2 norm.
        theta: (K,) adaptive thresholds.
        gain: from features to rates.
        v_threshold: firing threshold without theta.
        trace_scale: one over the mean length of a sample's rate vector.
        mean_trace: mean rate over the channels.
    """

    synapses: Float[Tensor, "k i"]
    theta: Float[Tensor, "k"]
    gain: float
    v_threshold: float
    trace_scale: float
    mean_trace: float

    def thresholds(self) -> Float[Tensor, "k"]:
        """Firing thresholds, theta included; above zero, so that nothing fires without input."""
        return (self.v_threshold + self.theta).clamp(min=_SMALLEST_THRESHOLD * self.v_threshold)


@dataclass(frozen=True)
class Labels:
    """What the layer makes of a set of samples.

    Attributes:
        labels: (N,) the neuron with most spikes.
        n_silent: samples that made no neuron fire; they take the neuron whose
            potential is nearest to its threshold.
        n_input_spikes: presynaptic spikes of all samples.
        n_output_spikes: spikes of the neurons.
    """

    labels: Int64[Tensor, "n"]
    n_silent: int
    n_input_spikes: int
    n_output_spikes: int


def initial_state(
    rates: Float[Tensor, "n i"],
    seeds: Float[Tensor, "k i"],
    gain: float,
    generator: torch.Generator,
    config: STDPConfig,
) -> LayerState:
    """Synapses from the seeds plus noise, and scales from the data.

    The automatic threshold is ``config.threshold_drives`` times the mean over samples of the best
    drive per step, max_j sum_i w_ji r_i.

    Args:
        rates: on/off rates of the data.
        seeds: rates that the neurons start from.
        gain: the gain that made the rates.
        generator: of the noise, on the CPU.
        config: noise and threshold.
    """
    noise = torch.randn(seeds.shape, generator=generator).to(seeds.device)
    synapses = plasticity.normalise(plasticity.normalise(seeds) + config.initial_noise * noise)
    if config.v_threshold == "auto":
        best = torch.cat([(part @ synapses.T).amax(dim=1) for part in rates.split(8192)])
        v_threshold = max(config.threshold_drives * best.mean().item(), 1e-6)
    else:
        v_threshold = config.v_threshold
    length = rates.norm(dim=1).mean().item()
    return LayerState(
        synapses=synapses,
        theta=torch.zeros(len(seeds), device=seeds.device),
        gain=gain,
        v_threshold=v_threshold,
        trace_scale=1 / length if length > 0 else 1.0,
        mean_trace=rates.mean().item(),
    )


def learn_batch(
    state: LayerState,
    signed_rates: Int32[Tensor, "b p"],
    keys: SpikeKeys,
    engine: Engine,
    config: STDPConfig,
) -> Response:
    """Present a batch and change the state's synapses and thresholds."""
    threshold = state.thresholds()
    response = engine.present(
        signed_rates, keys, state.synapses, threshold, state.v_threshold, config, collect=True
    )
    assert response.sums is not None
    state.synapses = plasticity.learn(
        state.synapses, response.sums, state.mean_trace, state.trace_scale, config
    )
    n_wins = torch.bincount(winners(response), minlength=len(state.theta)).to(torch.float32)
    state.theta = adapt(
        state.theta, n_wins, response.sums.n_spikes, len(signed_rates), state.v_threshold, config
    )
    return response


def label(
    state: LayerState,
    signed_rates: Int32[Tensor, "n p"],
    keys: SpikeKeys,
    engine: Engine,
    config: STDPConfig,
) -> Labels:
    """Label samples with learning off; the batch size has no effect on the labels."""
    threshold = state.thresholds()
    if not config.theta_in_labels:
        threshold = torch.full_like(threshold, state.v_threshold)
    labels, n_silent, n_input_spikes, n_output_spikes = [], 0, 0, 0
    for start in range(0, len(signed_rates), config.batch_size):
        rows = slice(start, start + config.batch_size)
        response = engine.present(
            signed_rates[rows],
            keys[rows],
            state.synapses,
            threshold,
            state.v_threshold,
            config,
            collect=False,
        )
        labels.append(winners(response))
        spikes = response.counts.sum(dim=1)
        n_silent += int((spikes == 0).sum())
        n_output_spikes += int(spikes.sum())
        n_input_spikes += response.n_input_spikes
    return Labels(torch.cat(labels), n_silent, n_input_spikes, n_output_spikes)


def winners(response: Response) -> Int64[Tensor, "b"]:
    """The neuron with most spikes; ties, and samples without a spike, go to the highest margin."""
    most = response.counts == response.counts.amax(dim=1, keepdim=True)
    return response.margin.masked_fill(~most, -torch.inf).argmax(dim=1)
