import torch

from deepstdp.config import STDPConfig
from deepstdp.spiking.encoding import (
    automatic_gain,
    label_keys,
    learning_keys,
    on_off,
    quantise,
)
from deepstdp.spiking.engines import Response
from deepstdp.spiking.engines.reference import ReferenceEngine
from deepstdp.spiking.inputs import RateInput
from deepstdp.spiking.layer import initial_state, label, learn_batch, respond, winners

FEATURES = torch.nn.functional.normalize(
    torch.randn(60, 16, generator=torch.Generator().manual_seed(0)), dim=1
)


def fresh(features, k, config, gain=None):
    """A layer that starts from the first k samples."""
    gain = gain or automatic_gain(features, config.input_spikes)
    rates = on_off(quantise(features, gain))
    return initial_state(
        rates, rates[:k], features.shape[1], gain, torch.Generator().manual_seed(0), config
    )


def label_all(state, signed, config, batch=60):
    inputs = RateInput(signed, label_keys(0, torch.arange(len(signed))))
    batches = (inputs[i : i + batch] for i in range(0, len(signed), batch))
    return label(respond(state, batches, config.n_timesteps, ReferenceEngine(), config))


def test_labels_take_the_most_spikes_then_the_highest_margin():
    counts = torch.tensor([[2, 1, 2], [0, 3, 1], [0, 0, 0]], dtype=torch.int32)
    margin = torch.tensor([[-3.0, 5.0, -1.0], [9.0, 0.0, 0.0], [-2.0, -1.0, -4.0]])
    assert winners(Response(counts, margin, torch.tensor(0), None)).tolist() == [2, 1, 1]


def test_scales_come_from_the_data():
    config = STDPConfig()
    small, large = (fresh(FEATURES * c, 5, config) for c in (1.0, 7.0))
    assert torch.allclose(small.synapses, large.synapses, atol=1e-3)
    assert abs(small.gain / large.gain - 7) < 1e-5
    assert abs(small.v_threshold / large.v_threshold - 1) < 1e-3


def test_a_given_threshold_is_kept():
    state = fresh(FEATURES, 5, STDPConfig(v_threshold=2.5), gain=3.0)
    assert (state.gain, state.v_threshold) == (3.0, 2.5)


def test_silent_input_changes_no_synapse():
    config = STDPConfig(homeostasis="none")
    state = fresh(FEATURES, 5, config)
    before = state.synapses.clone()
    blank = torch.zeros(8, 16, dtype=torch.int32)
    inputs = RateInput(blank, learning_keys(0, 0, torch.arange(8)))
    learn_batch(state, inputs, len(inputs), 25, ReferenceEngine(), config)
    assert torch.equal(state.synapses, before)
    labels = label_all(state, blank, config)
    assert labels.n_silent == 8
    assert ((labels.labels >= 0) & (labels.labels < 5)).all()


def test_labels_do_not_depend_on_the_batch():
    state = fresh(FEATURES, 5, STDPConfig())
    signed = quantise(FEATURES, state.gain)
    results = [label_all(state, signed, STDPConfig(), batch) for batch in (1, 7, 60)]
    assert torch.equal(results[0].labels, results[1].labels)
    assert torch.equal(results[0].labels, results[2].labels)
    assert results[0].n_output_spikes == results[2].n_output_spikes


def test_theta_in_labels_is_an_option():
    state = fresh(FEATURES, 5, STDPConfig())
    state.theta = torch.tensor([0.0, 0, 0, 0, -10 * state.v_threshold]).double()
    signed = quantise(FEATURES, state.gain)
    taking, leaving = (
        label_all(state, signed, STDPConfig(theta_in_labels=flag)).labels for flag in (True, False)
    )
    assert (taking == 4).all()
    assert not (leaving == 4).all()


def test_thresholds_stay_above_zero():
    state = fresh(FEATURES, 5, STDPConfig())
    state.theta = torch.full((5,), -10 * state.v_threshold).double()
    assert (state.thresholds() > 0).all()
