import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.config import STDPConfig
from deepstdp.spiking.engines import Sums
from deepstdp.spiking.engines.reference import trace
from deepstdp.spiking.plasticity import (
    centroid_step,
    learn,
    normalise,
    pair_step,
    quantise,
    trace_kernel,
    weight_dependent_step,
)


def one(value: float) -> torch.Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def n_spikes(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def test_trace_kernel_by_hand():
    # lambda = 1/2: 0.5, 0.25, 0.125 of a spike per step
    tau = 1 / math.log(2)
    assert trace_kernel(1.0, tau, 3, False, torch.device("cpu")).tolist() == pytest.approx(
        [0.5, 0.25, 0.125]
    )
    assert trace_kernel(1.0, tau, 3, True, torch.device("cpu")).tolist() == [2048, 1024, 512]


def test_traces_by_hand():
    spikes = torch.tensor([[[1.0], [0.0], [1.0]]])
    assert trace(spikes, torch.tensor([0.5, 0.25, 0.125])).flatten().tolist() == [0.5, 0.25, 0.625]


def test_one_synapse_through_the_centroid_rule():
    # Two spikes at traces 0.6 and 1.0: one by one 0.4 -> 0.46 -> 0.514 has eta = 0.1; composed,
    # 0.4 + (1 - 0.9^2) (0.8 - 0.4) = 0.476 for the mean trace 0.8.
    sums = Sums(n_spikes(2), one(1.6), None)
    assert centroid_step(one(0.4), sums, 0.1, scale=1.0, most_spikes=2).item() == pytest.approx(
        0.476
    )
    twice = Sums(n_spikes(2), one(0.8), None)
    assert centroid_step(one(0.4), twice, 0.1, scale=2.0, most_spikes=2).item() == pytest.approx(
        0.476
    )


@given(st.integers(1, 30), st.floats(0.001, 0.9), st.floats(0, 1), st.floats(0, 1))
def test_equal_spikes_compose_as_if_they_had_come_one_by_one(n, eta, w, x):
    single = one(w)
    for _ in range(n):
        single = centroid_step(single, Sums(n_spikes(1), one(x), None), eta, 1.0, 30)
    at_once = centroid_step(one(w), Sums(n_spikes(n), one(n * x), None), eta, 1.0, 30)
    assert at_once.item() == pytest.approx(single.item(), abs=1e-5)


def test_one_synapse_through_the_pair_rule():
    # 0.1 * (0.7 - 0.5 * 0.4) = 0.05.
    sums = Sums(n_spikes(1), one(0.7), one(0.4))
    assert pair_step(sums, 0.1, 1.0, depression=0.5).item() == pytest.approx(0.05)


def test_one_synapse_through_the_weight_dependent_rule():
    config = STDPConfig(rule="weight-dependent", eta=0.1, mu=2.0)
    sums = Sums(n_spikes(2), one(0.9), None)
    # 0.1 (0.9 (1 - 0.4)^2 - 2 * 0.3 * 0.4^2)
    expected = 0.1 * (0.9 * 0.36 - 0.6 * 0.16)
    assert weight_dependent_step(one(0.4), sums, 0.3, 1.0, config).item() == pytest.approx(expected)
    config = replace(config, weight_dependence="exponential")
    expected = 0.1 * (0.9 * math.exp(-0.8) - 0.6 * math.exp(-1.2))
    assert weight_dependent_step(one(0.4), sums, 0.3, 1.0, config).item() == pytest.approx(expected)


def test_normalise_clips_and_scales():
    w = normalise(torch.tensor([[3.0, -5.0, 4.0]]), fixed=False)
    assert torch.allclose(w, torch.tensor([[0.6, 0.0, 0.8]]))


rules = st.sampled_from(["centroid", "pair", "weight-dependent"])


@settings(max_examples=60)
@given(rules, st.floats(0.001, 1.0), st.integers(0, 10_000), st.integers(1, 500), st.booleans())
def test_synapses_stay_in_bounds(rule, eta, seed, n, fixed):
    generator = torch.Generator().manual_seed(seed)
    w = normalise(torch.rand(4, 6, generator=generator).double(), fixed)
    arithmetic = "fixed" if fixed else "float"
    sums = Sums(
        n_spikes(n, 0, 1, 2),
        torch.rand(4, 6, generator=generator).double() * n,
        torch.rand(4, 6, generator=generator).double() * n if rule == "pair" else None,
    )
    learnt = learn(w, sums, 0.3, 1.0, 500, STDPConfig(rule=rule, eta=eta, arithmetic=arithmetic))
    assert torch.isfinite(learnt).all()
    assert (learnt >= 0).all()
    assert (learnt <= 1 + 1e-6).all()
    assert torch.allclose(learnt.norm(dim=1), torch.ones(4).double(), atol=1e-5)
    assert torch.equal(learnt[1], w[1]), "a neuron that did not fire keeps its synapses"


def test_the_additive_step_is_bounded():
    w = normalise(torch.rand(1, 50).double(), fixed=True)
    huge = Sums(n_spikes(1), 1e6 * torch.rand(1, 50).double(), torch.zeros(1, 50).double())
    learnt = learn(w, huge, 0.3, 1.0, 1, STDPConfig(rule="pair", max_step=0.1))
    assert (learnt - w).norm() <= 0.1 + 1e-6


def test_fixed_synapses_are_whole_numbers_of_the_grid():
    w = normalise(torch.rand(3, 7).double(), fixed=True)
    assert torch.equal((w * 2**24).round(), w * 2**24)


def test_quantise_by_hand():
    # The largest synapse, 0.8, takes int8's range: 0.8 * 2^7 = 102.4.
    scale, copy = quantise(torch.tensor([[0.6, 0.8], [1e-4, 0.5]]).double(), n_active=1)
    assert scale == 128
    assert copy.tolist() == [[77, 102], [0, 64]]
    # 1024 channels at once must not pass 2^14 and rounding: the exponent stays at 14 - 5.
    scale, copy = quantise(torch.full((1, 1024), 1 / 32).double(), n_active=1024)
    assert scale == 512
    assert copy.sum(dtype=torch.int64) == 16384
