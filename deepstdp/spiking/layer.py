"""The spiking clustering layer: K neurons, their synapses and thresholds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from deepstdp.config import STDPConfig
from deepstdp.processes import ALONE, Group
from deepstdp.spiking import neurons, plasticity
from deepstdp.spiking.engines import Circuit, Engine, Response, Sums
from deepstdp.spiking.homeostasis import adapt
from deepstdp.spiking.inputs import Input

_SMALLEST_THRESHOLD = 0.01


@dataclass
class LayerState:
    """What the layer has learnt, and the scales it took from the data when it was made.

    Attributes:
        synapses: (K, I) of unit L2 norm, in double precision (see ``plasticity``).
        theta: (K,) adaptive thresholds.
        n_active: most channels that can spike in one step: one of each on/off pair.
        gain: from features to rates.
        v_threshold: firing threshold without theta.
        trace_scale: one over the mean length of a sample's rate vector.
        mean_trace: mean rate over the channels.
    """

    synapses: Float[Tensor, "k i"]
    theta: Float[Tensor, "k"]
    n_active: int
    gain: float
    v_threshold: float
    trace_scale: float
    mean_trace: float

    def to(self, device: torch.device) -> "LayerState":
        """The same on ``device``."""
        scales = (self.n_active, self.gain, self.v_threshold, self.trace_scale, self.mean_trace)
        return LayerState(self.synapses.to(device), self.theta.to(device), *scales)

    def thresholds(self, with_theta: bool = True) -> Float[Tensor, "k"]:
        """Firing thresholds; above zero, so that nothing fires without input."""
        theta = self.theta if with_theta else torch.zeros_like(self.theta)
        return (self.v_threshold + theta).clamp(min=_SMALLEST_THRESHOLD * self.v_threshold)


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
    n_active: int,
    gain: float,
    generator: torch.Generator,
    config: STDPConfig,
) -> LayerState:
    """Synapses from the seeds plus noise, and scales from the data.

    The automatic threshold is ``config.threshold_drives`` times the mean over samples of the best
    drive per step, max_j sum_i w_ji r_i.

    Args:
        rates: rates of (some of) the data, on the CPU.
        seeds: rates that the neurons start from.
        n_active: most channels that can spike in one step.
        gain: the gain that made the rates.
        generator: of the noise.
        config: noise and threshold.
    """
    noise = torch.randn(seeds.shape, generator=generator, dtype=torch.float64)
    directions = torch.nn.functional.normalize(seeds.double(), dim=1)
    synapses = plasticity.normalise(directions + config.initial_noise * noise, config.fixed_point)
    if config.v_threshold == "auto":
        single = synapses.to(rates.dtype)
        best = torch.cat([(part @ single.T).amax(dim=1) for part in rates.split(8192)])
        v_threshold = max(config.threshold_drives * best.double().mean().item(), 1e-6)
    else:
        v_threshold = config.v_threshold
    length = rates.norm(dim=1).double().mean().item()
    return LayerState(
        synapses=synapses,
        theta=torch.zeros(len(seeds), dtype=torch.float64),
        n_active=n_active,
        gain=gain,
        v_threshold=v_threshold,
        trace_scale=1 / length if length > 0 else 1.0,
        mean_trace=rates.double().mean().item(),
    )


def circuit(
    state: LayerState, n_timesteps: int, config: STDPConfig, with_theta: bool = True
) -> Circuit:
    """The layer as an engine simulates it, synapses and thresholds in the same units."""
    fixed = config.fixed_point
    dtype = torch.int32 if fixed else torch.float32
    if fixed:
        scale, synapses = plasticity.quantise(state.synapses, state.n_active)
    else:
        scale, synapses = torch.ones((), device=state.theta.device), state.synapses.to(dtype)

    threshold = state.thresholds(with_theta)
    inhibition = None
    if config.inhibition == "graded":
        amount = config.inhibition_strength * state.v_threshold
        inhibition = _in_units(torch.full_like(scale, amount, dtype=torch.float64), scale, dtype)
    leak = neurons.decay(config.dt, config.tau_mem)
    pre, post = (
        plasticity.trace_kernel(config.dt, tau, n_timesteps, fixed, threshold.device)
        for tau in (config.tau_pre, config.tau_post)
    )
    return Circuit(
        synapses=synapses,
        threshold=_in_units(threshold, scale, dtype),
        leak=round(leak * 2**neurons.LEAK_BITS) if fixed else leak,
        inhibition=inhibition,
        pre_trace=pre,
        post_trace=post if config.rule == "pair" else None,
    )


def _in_units(
    potential: Float[Tensor, "..."], scale: Float[Tensor, ""], dtype: torch.dtype
) -> Shaped[Tensor, "..."]:
    """A potential in the unit of the synapses; a whole number from 1 on in fixed point."""
    scaled = potential * scale
    return (scaled if dtype.is_floating_point else scaled.round_().clamp_(1, 2**30)).to(dtype)


def learn_batch(
    state: LayerState,
    inputs: Input | None,
    n_samples: int,
    n_timesteps: int,
    engine: Engine,
    config: STDPConfig,
    group: Group = ALONE,
) -> None:
    """Present a batch and change the state's synapses and thresholds.

    Args:
        state: what learns; alike on all processes.
        inputs: this process's samples of the batch; None if it has none.
        n_samples: size of the whole batch.
        n_timesteps: T.
        engine: presents the samples.
        config: the rule, and its parameters.
        group: the processes that share the batch. In fixed point their sums are exact, so that
            any number of processes learns the same to the bit.
    """
    neurons_now = circuit(state, n_timesteps, config)
    n_wins, sums = _reaction(inputs, neurons_now, engine)
    n_wins, sums = _total(n_wins, sums, group)
    unit = plasticity.TRACE_ONE if config.fixed_point else 1
    state.synapses = plasticity.learn(
        state.synapses,
        sums,
        state.mean_trace * unit,
        state.trace_scale / unit,
        n_samples * n_timesteps,
        config,
    )
    n_spikes = sums.n_spikes.double()
    state.theta = adapt(
        state.theta, n_wins.double(), n_spikes, n_samples, state.v_threshold, config
    )


def _reaction(
    inputs: Input | None, circuit: Circuit, engine: Engine
) -> tuple[Int64[Tensor, "k"], Sums]:
    """How many samples each neuron wins, and the sums that plasticity needs."""
    k = len(circuit.threshold)
    if inputs is None:
        nothing = torch.zeros(circuit.synapses.shape, device=circuit.synapses.device)
        none = torch.zeros(k, dtype=torch.int64, device=nothing.device)
        return none, Sums(none, nothing, None if circuit.post_trace is None else nothing)
    response = engine.present(inputs, circuit, collect=True)
    assert response.sums is not None
    return torch.bincount(winners(response), minlength=k), response.sums


def _total(n_wins: Int64[Tensor, "k"], sums: Sums, group: Group) -> tuple[Int64[Tensor, "k"], Sums]:
    """The sums of all processes, in one exchange; doubles hold whole numbers exactly."""
    if group.size == 1:
        return n_wins, sums
    columns = [n_wins[:, None], sums.n_spikes[:, None], sums.pre_at_post]
    if sums.post_at_pre is not None:
        columns.append(sums.post_at_pre)
    table = group.sum(torch.cat([column.double() for column in columns], dim=1))
    n_channels = sums.pre_at_post.shape[1]
    before, after = table[:, 2 : 2 + n_channels], table[:, 2 + n_channels :]
    post_at_pre = None if sums.post_at_pre is None else after
    return table[:, 0].long(), Sums(table[:, 1].long(), before, post_at_pre)


def respond(
    state: LayerState,
    batches: Iterable[Input],
    n_timesteps: int,
    engine: Engine,
    config: STDPConfig,
) -> Iterator[Response]:
    """How the layer answers batch after batch, with learning off."""
    neurons_at_rest = circuit(state, n_timesteps, config, with_theta=config.theta_in_labels)
    for inputs in batches:
        yield engine.present(inputs, neurons_at_rest, collect=False)


def label(responses: Iterable[Response]) -> Labels:
    """Label samples from responses; the split into batches has no effect."""
    labels, n_silent, n_input_spikes, n_output_spikes = [], 0, 0, 0
    for response in responses:
        labels.append(winners(response))
        spikes = response.counts.sum(dim=1)
        n_silent += int((spikes == 0).sum())
        n_output_spikes += int(spikes.sum())
        n_input_spikes += int(response.n_input_spikes)
    return Labels(torch.cat(labels), n_silent, n_input_spikes, n_output_spikes)


def winners(response: Response) -> Int64[Tensor, "b"]:
    """The neuron with most spikes; ties, and samples without a spike, go to the highest margin."""
    most = response.counts == response.counts.amax(dim=1, keepdim=True)
    return torch.where(most, response.margin, response.margin.amin() - 1).argmax(dim=1)
