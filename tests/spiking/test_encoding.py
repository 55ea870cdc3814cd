import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.keyed_random import Stream, key_words, philox
from deepstdp.spiking.encoding import (
    FULL_RATE,
    automatic_gain,
    label_keys,
    learning_keys,
    on_off,
    predict_keys,
    quantise,
    spike_trains,
)

CPU = torch.device("cpu")


def test_on_off_rates_by_hand():
    features = torch.tensor([[0.25, -0.5, 0.0, 3.0]])
    signed = quantise(features, gain=0.5)
    assert signed.tolist() == [[8192, -16384, 0, FULL_RATE]]
    assert on_off(signed).tolist() == [[0.125, 0, 0, 1.0, 0, 0.25, 0, 0]]


def test_automatic_gain():
    features = torch.tensor([[0.1, -0.3], [0.2, 0.2]])
    assert automatic_gain(features, 0.4) == pytest.approx(0.2 / 0.2)
    # At most half of the features spike in a step.
    assert automatic_gain(features, 25) == pytest.approx(0.5 / 0.2)
    assert automatic_gain(torch.zeros(3, 2), 25) == 1.0


def test_spikes_follow_the_rates():
    signed = torch.tensor([[FULL_RATE // 2, -FULL_RATE // 10, 0, FULL_RATE, -FULL_RATE]])
    signed = signed.expand(4000, 5).to(torch.int32)
    spikes = spike_trains(signed, label_keys(0, 4000, CPU), n_timesteps=25)
    assert spikes.shape == (4000, 25, 10)
    means = spikes.double().mean(dim=(0, 1))
    expected = torch.tensor([0.5, 0, 0, 1, 0, 0, 0.1, 0, 0, 1], dtype=torch.float64)
    assert torch.allclose(means, expected, atol=5e-3)
    # Neither steps nor samples repeat each other.
    half = spikes[..., 0].double()
    assert (half.mean(dim=0) - 0.5).abs().max() < 0.05
    assert (half.mean(dim=1) - 0.5).abs().mean() == pytest.approx(0.08, abs=0.01)
    assert torch.corrcoef(half.T).fill_diagonal_(0).abs().max() < 0.08


def test_a_spike_is_one_draw_of_philox_below_the_rate():
    signed = torch.tensor([[30000, -40000, 5]], dtype=torch.int32)
    keys = learning_keys(9, 4, torch.tensor([17]))
    spikes = spike_trains(signed, keys, n_timesteps=11)[0]
    for channel in range(3):
        for t in range(11):
            call, place = divmod(t, 8)
            counter = tuple(torch.tensor(c) for c in (channel, call, 17, 4))
            word = int(philox(counter, key_words(9, Stream.LEARNING_SPIKES))[place // 2])
            draw = (word >> 16) if place % 2 else (word & 0xFFFF)
            rate = int(signed[0, channel])
            assert bool(spikes[t, channel]) == (draw < rate)
            assert bool(spikes[t, channel + 3]) == (draw < -rate)


rates = st.lists(st.integers(-FULL_RATE, FULL_RATE), min_size=6, max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.lists(rates, min_size=2, max_size=6), st.integers(0, 2**40))
def test_predict_keys_belong_to_the_row(rows, seed):
    signed = torch.tensor(rows, dtype=torch.int32)
    spikes = spike_trains(signed, predict_keys(seed, signed), 9)
    backwards = signed.flip(0)
    assert torch.equal(spike_trains(backwards, predict_keys(seed, backwards), 9), spikes.flip(0))
    assert torch.equal(spike_trains(signed[:1], predict_keys(seed, signed[:1]), 9), spikes[:1])


def test_rows_that_differ_have_other_keys():
    signed = torch.randint(-FULL_RATE, FULL_RATE, (3000, 8), dtype=torch.int32)
    signed[1] = signed[0]
    signed[1, 3] += 1
    keys = predict_keys(0, signed)
    assert len(set(zip(keys.low.tolist(), keys.high.tolist(), strict=True))) == 3000


def test_passes_and_uses_have_spikes_of_their_own():
    signed = torch.full((1, 8), FULL_RATE // 2, dtype=torch.int32)
    ids = torch.tensor([0])
    trains = [
        spike_trains(signed, keys, 25)
        for keys in (
            learning_keys(0, 0, ids),
            learning_keys(0, 1, ids),
            learning_keys(1, 0, ids),
            label_keys(0, 1, CPU),
            predict_keys(0, signed),
        )
    ]
    for i, one in enumerate(trains):
        for other in trains[:i]:
            assert not torch.equal(one, other)
