"""The reference engine against a plain loop over samples and steps; the others against it."""

import math
from dataclasses import fields, is_dataclass
from importlib.util import find_spec

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.config import STDPConfig
from deepstdp.errors import UserError
from deepstdp.spiking import engines
from deepstdp.spiking.encoding import FULL_RATE, learning_keys, pack, quantise
from deepstdp.spiking.engines import NAMES, make_engine
from deepstdp.spiking.inputs import RateInput, SpikeInput
from deepstdp.spiking.layer import LayerState, circuit
from deepstdp.spiking.neurons import V_MAX
from deepstdp.spiking.plasticity import normalise

CPU = torch.device("cpu")
NEEDS_TRITON = pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton")
FAST = [
    pytest.param(name, marks=NEEDS_TRITON if name == "cuda" else ())
    for name in NAMES
    if name != "reference"
]


def make_state(k, n_channels, n_active, v_threshold, seed=0):
    generator = torch.Generator().manual_seed(seed)
    synapses = torch.rand(k, n_channels, generator=generator, dtype=torch.float64) ** 2
    theta = 0.2 * v_threshold * torch.randn(k, generator=generator, dtype=torch.float64)
    return LayerState(normalise(synapses, fixed=True), theta, n_active, 1.0, v_threshold, 1.0, 0.1)


def rate_input(n, p, seed=0, scale=0.4):
    generator = torch.Generator().manual_seed(seed)
    signed = quantise(torch.randn(n, p, generator=generator), scale)
    return RateInput(signed, learning_keys(seed, 1, torch.arange(n)))


def plain_loop(spikes, circuit, fixed):
    """Counts, margins and sums, one number at a time."""
    n, n_steps, n_inputs = len(spikes), len(spikes[0]), len(spikes[0][0])
    synapses, threshold = circuit.synapses.tolist(), circuit.threshold.tolist()
    pre = circuit.pre_trace.tolist()
    post = None if circuit.post_trace is None else circuit.post_trace.tolist()
    k = len(synapses)
    counts = [[0] * k for _ in range(n)]
    margins = [[0.0] * k for _ in range(n)]
    pre_at_post = [[0.0] * n_inputs for _ in range(k)]
    post_at_pre = [[0.0] * n_inputs for _ in range(k)]
    for b in range(n):
        v = [0] * k
        fired = []
        for t in range(n_steps):
            for j in range(k):
                leaked = v[j] * circuit.leak
                leaked = math.floor(leaked / 1024) if fixed else leaked
                v[j] = leaked + sum(synapses[j][i] * spikes[b][t][i] for i in range(n_inputs))
                v[j] = min(v[j], V_MAX) if fixed else v[j]
            above = [v[j] - threshold[j] for j in range(k)]
            winner = max(range(k), key=lambda j: above[j])
            if post is not None:
                for s, j in fired:
                    for i in range(n_inputs):
                        post_at_pre[j][i] += post[t - 1 - s] * spikes[b][t][i]
            if above[winner] >= 0:
                fired.append((t, winner))
                counts[b][winner] += 1
                for i in range(n_inputs):
                    trace = sum(pre[t - s] * spikes[b][s][i] for s in range(t + 1))
                    pre_at_post[winner][i] += trace
                for j in range(k):
                    hard = circuit.inhibition is None or j == winner
                    v[j] = 0 if hard else max(v[j] - float(circuit.inhibition), 0)
        margins[b] = [v[j] - threshold[j] for j in range(k)]
    return counts, margins, pre_at_post, post_at_pre


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    inhibition=st.sampled_from(["hard", "graded"]),
    rule=st.sampled_from(["centroid", "pair"]),
    arithmetic=st.sampled_from(["fixed", "float"]),
)
def test_the_reference_is_the_plain_loop(seed, inhibition, rule, arithmetic):
    config = STDPConfig(
        n_timesteps=12,
        inhibition=inhibition,
        inhibition_strength=0.4,
        rule=rule,
        arithmetic=arithmetic,
        tau_mem=7,
        tau_post=9,
    )
    neurons = circuit(make_state(3, 8, 4, 1.0, seed), 12, config)
    inputs = rate_input(5, 4, seed)
    response = make_engine("reference", CPU, config.fixed_point).present(inputs, neurons, True)
    spikes = inputs.trains(12)
    counts, margins, pre, post = plain_loop(spikes.long().tolist(), neurons, config.fixed_point)
    assert response.counts.tolist() == counts
    assert torch.allclose(response.margin.double(), torch.tensor(margins).double(), atol=1e-4)
    assert int(response.n_input_spikes) == int(spikes.sum())
    sums = response.sums
    assert sums.n_spikes.tolist() == torch.tensor(counts).sum(dim=0).tolist()
    assert torch.allclose(sums.pre_at_post.double(), torch.tensor(pre).double(), atol=1e-4)
    if rule == "pair":
        assert torch.allclose(sums.post_at_pre.double(), torch.tensor(post).double(), atol=1e-4)
    assert sum(map(sum, counts)) > 0


def device_of(engine):
    """Without a CUDA device, Triton's interpreter runs the kernels on the CPU (see conftest)."""
    return torch.device("cuda") if engine == "cuda" and torch.cuda.is_available() else CPU


def to(device, x):
    """The same with all of its tensors on ``device``."""
    if is_dataclass(x):
        return type(x)(*(to(device, getattr(x, field.name)) for field in fields(x)))
    return x.to(device) if isinstance(x, torch.Tensor) else x


def assert_same(engine, inputs, neurons, collect=True):
    device = device_of(engine)
    fast = make_engine(engine, device, True)
    ours = to(CPU, fast.present(to(device, inputs), to(device, neurons), collect))
    theirs = make_engine("reference", CPU, True).present(inputs, neurons, collect)
    assert torch.equal(ours.counts, theirs.counts)
    assert torch.equal(ours.margin, theirs.margin)
    assert int(ours.n_input_spikes) == int(theirs.n_input_spikes)
    assert (ours.sums is None) == (not collect)
    if collect:
        assert torch.equal(ours.sums.n_spikes, theirs.sums.n_spikes)
        assert torch.equal(ours.sums.pre_at_post.double(), theirs.sums.pre_at_post.double())
        assert (ours.sums.post_at_pre is None) == (theirs.sums.post_at_pre is None)
        if ours.sums.post_at_pre is not None:
            assert torch.equal(ours.sums.post_at_pre.double(), theirs.sums.post_at_pre.double())
    return ours


@pytest.mark.parametrize("engine", FAST)
@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    inhibition=st.sampled_from(["hard", "graded"]),
    rule=st.sampled_from(["centroid", "pair"]),
    n=st.integers(1, 9),
    p=st.sampled_from([1, 2, 5, 70]),
    k=st.sampled_from([1, 3, 70]),
    n_timesteps=st.sampled_from([1, 12, 32, 45]),
)
def test_engines_agree_to_the_bit(engine, seed, inhibition, rule, n, p, k, n_timesteps):
    config = STDPConfig(
        n_timesteps=n_timesteps, inhibition=inhibition, inhibition_strength=0.3, rule=rule
    )
    neurons = circuit(make_state(k, 2 * p, p, 0.6, seed), n_timesteps, config)
    n = min(n, 4) if engine == "cuda" else n  # Triton's interpreter is slow
    assert_same(engine, rate_input(n, p, seed), neurons)


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize(
    ("p", "k", "n_timesteps", "v_threshold"), [(300, 520, 70, 20.0), (20, 10000, 25, 3.0)]
)
def test_engines_agree_on_many_neurons_and_channels(engine, p, k, n_timesteps, v_threshold):
    config = STDPConfig(
        n_timesteps=n_timesteps, inhibition="graded", inhibition_strength=0.3, rule="pair"
    )
    neurons = circuit(make_state(k, 2 * p, p, v_threshold), n_timesteps, config)
    response = assert_same(engine, rate_input(3, p), neurons)
    assert response.counts.sum() > 0


@pytest.mark.parametrize("engine", FAST)
def test_of_equal_neurons_the_first_fires(engine):
    state = make_state(300, 20, 10, 1.0)
    state.synapses[:] = state.synapses[7]
    state.theta[:] = 0.1
    state.theta[:7] = 0.5
    response = assert_same(engine, rate_input(5, 10), circuit(state, 25, STDPConfig()))
    assert response.counts[:, 7].sum() == response.counts.sum() > 0


@pytest.mark.parametrize("engine", FAST)
def test_engines_agree_on_spikes_that_are_given(engine):
    generator = torch.Generator().manual_seed(1)
    spikes = torch.rand(6, 40, 33, generator=generator) < 0.2
    neurons = circuit(make_state(10, 33, 33, 2.0), 40, STDPConfig(n_timesteps=40))
    response = assert_same(engine, SpikeInput(pack(spikes)), neurons)
    assert int(response.n_input_spikes) == int(spikes.sum())
    assert response.counts.sum() > 0


@pytest.mark.parametrize("engine", FAST)
def test_the_loudest_input_overflows_nothing(engine):
    p = 1024
    signed = torch.full((3, p), FULL_RATE, dtype=torch.int32)
    signed[1] *= -1
    inputs = RateInput(signed, learning_keys(0, 0, torch.arange(3)))
    state = make_state(4, 2 * p, p, 1e6)
    state.synapses = normalise(torch.ones(4, 2 * p).double(), fixed=True)
    state.synapses[0, :p] = 1 / p**0.5
    state.synapses[0, p:] = 0
    response = assert_same(engine, inputs, circuit(state, 100, STDPConfig(n_timesteps=100)))
    assert response.margin[0, 0] > response.margin[1, 0]


@pytest.mark.parametrize("engine", FAST)
def test_labels_need_no_sums(engine):
    neurons = circuit(make_state(5, 20, 10, 0.5), 25, STDPConfig())
    assert_same(engine, rate_input(30, 10), neurons, collect=False)


def test_the_cpu_engine_does_not_depend_on_threads():
    import numba

    neurons = circuit(make_state(20, 60, 30, 0.8), 25, STDPConfig(rule="pair"))
    inputs = rate_input(50, 30)
    before = numba.get_num_threads()
    try:
        for n_threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(n_threads)
            assert_same("cpu", inputs, neurons)
    finally:
        numba.set_num_threads(before)


def test_auto_takes_the_fastest_engine_for_the_device():
    assert type(make_engine("auto", CPU, fixed_point=True)).__name__ == "CPUEngine"
    assert type(make_engine("auto", CPU, fixed_point=False)).__name__ == "ReferenceEngine"
    cuda = torch.device("cuda")
    assert type(make_engine("auto", cuda, fixed_point=False)).__name__ == "ReferenceEngine"


@NEEDS_TRITON
def test_auto_takes_the_cuda_engine_if_it_can(monkeypatch):
    cuda = torch.device("cuda")
    assert type(make_engine("auto", cuda, fixed_point=True)).__name__ == "CUDAEngine"
    monkeypatch.setattr(engines, "_has_triton", lambda: False)
    assert type(make_engine("auto", cuda, fixed_point=True)).__name__ == "ReferenceEngine"


@NEEDS_TRITON
def test_engines_say_what_they_need(monkeypatch):
    from deepstdp.spiking.engines import cuda

    with pytest.raises(UserError, match="on the CPU"):
        make_engine("cpu", torch.device("cuda"), fixed_point=True)
    monkeypatch.setattr(cuda, "interpreted", lambda: False)
    with pytest.raises(UserError, match="on a CUDA device"):
        make_engine("cuda", CPU, fixed_point=True)
    monkeypatch.setattr(engines, "_has_triton", lambda: False)
    with pytest.raises(UserError, match="pip install triton"):
        make_engine("cuda", CPU, fixed_point=True)


@pytest.mark.parametrize("engine", FAST)
def test_floats_are_for_the_reference(engine):
    neurons = circuit(make_state(3, 8, 4, 1.0), 5, STDPConfig(arithmetic="float", n_timesteps=5))
    with pytest.raises(UserError, match="fixed point"):
        make_engine(engine, device_of(engine), False).present(rate_input(2, 4), neurons, False)
