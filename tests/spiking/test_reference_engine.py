"""The vectorised engine against a plain loop over samples, steps and neurons."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.config import STDPConfig
from deepstdp.spiking.encoding import learning_keys, quantise, spike_trains
from deepstdp.spiking.engines import ENGINES
from deepstdp.spiking.plasticity import normalise


def plain_loop(spikes, synapses, threshold, v_threshold, config):
    """Counts, margins and sums, one number at a time."""
    n, n_steps, n_inputs = len(spikes), len(spikes[0]), len(spikes[0][0])
    k = len(synapses)
    taus = (config.tau_mem, config.tau_pre, config.tau_post)
    leak, keep, keep_post = (math.exp(-config.dt / tau) for tau in taus)
    counts = [[0] * k for _ in range(n)]
    margins = [[0.0] * k for _ in range(n)]
    n_spikes = [0.0] * k
    pre_at_post = [[0.0] * n_inputs for _ in range(k)]
    post_at_pre = [[0.0] * n_inputs for _ in range(k)]
    for b in range(n):
        v, x, y = [0.0] * k, [0.0] * n_inputs, [0.0] * k
        for t in range(n_steps):
            for i in range(n_inputs):
                x[i] = keep * x[i] + (1 - keep) * spikes[b][t][i]
            for j in range(k):
                v[j] = leak * v[j] + sum(synapses[j][i] * spikes[b][t][i] for i in range(n_inputs))
            above = [v[j] - threshold[j] for j in range(k)]
            winner = max(range(k), key=lambda j: above[j])
            fired = above[winner] >= 0
            for j in range(k):
                for i in range(n_inputs):
                    post_at_pre[j][i] += y[j] * spikes[b][t][i]
                y[j] = keep_post * y[j] + (1 - keep_post) * (fired and j == winner)
            if fired:
                counts[b][winner] += 1
                n_spikes[winner] += 1
                for i in range(n_inputs):
                    pre_at_post[winner][i] += x[i]
                for j in range(k):
                    lowered = max(v[j] - config.inhibition_strength * v_threshold, 0.0)
                    v[j] = 0.0 if config.inhibition == "hard" or j == winner else lowered
        margins[b] = [v[j] - threshold[j] for j in range(k)]
    return counts, margins, n_spikes, pre_at_post, post_at_pre


@pytest.mark.parametrize("engine", sorted(ENGINES))
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    inhibition=st.sampled_from(["hard", "graded"]),
    rule=st.sampled_from(["centroid", "pair"]),
)
def test_engine_is_the_plain_loop(engine, seed, inhibition, rule):
    generator = torch.Generator().manual_seed(seed)
    config = STDPConfig(
        n_timesteps=12,
        inhibition=inhibition,
        inhibition_strength=0.4,
        rule=rule,
        tau_mem=7,
        tau_post=9,
    )
    signed = quantise(torch.randn(5, 4, generator=generator), 0.4)
    keys = learning_keys(seed, 1, torch.arange(5))
    synapses = normalise(torch.rand(3, 8, generator=generator))
    theta = torch.tensor([0.1, -0.2, 0.0])
    response = ENGINES[engine]().present(
        signed, keys, synapses, 1.0 + theta, 1.0, config, collect=True
    )
    spikes = spike_trains(signed, keys, 12)
    counts, margins, n_spikes, pre, post = plain_loop(
        spikes.double().tolist(), synapses.tolist(), (1.0 + theta).tolist(), 1.0, config
    )
    assert response.counts.tolist() == counts
    assert torch.allclose(response.margin, torch.tensor(margins), atol=1e-4)
    assert response.n_input_spikes == int(spikes.sum())
    assert response.sums.n_spikes.tolist() == n_spikes
    assert torch.allclose(response.sums.pre_at_post, torch.tensor(pre), atol=1e-4)
    if rule == "pair":
        assert torch.allclose(response.sums.post_at_pre, torch.tensor(post), atol=1e-4)
    assert sum(n_spikes) > 0
