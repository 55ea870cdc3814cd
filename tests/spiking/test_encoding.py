import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.keyed_random import MASK, mix
from deepstdp.spiking.encoding import (
    FULL_RATE,
    automatic_gain,
    label_keys,
    learning_keys,
    on_off,
    pack,
    predict_keys,
    quantise,
    unpack,
)
from deepstdp.spiking.inputs import RateInput


def spike_trains(signed, keys, n_timesteps):
    return RateInput(signed, keys).trains(n_timesteps)


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
    spikes = spike_trains(signed, label_keys(0, torch.arange(4000)), n_timesteps=25)
    assert spikes.shape == (4000, 25, 10)
    means = spikes.double().mean(dim=(0, 1))
    expected = torch.tensor([0.5, 0, 0, 1, 0, 0, 0.1, 0, 0, 1], dtype=torch.float64)
    assert torch.allclose(means, expected, atol=5e-3)
    # Neither steps nor samples repeat each other.
    half = spikes[..., 0].double()
    assert (half.mean(dim=0) - 0.5).abs().max() < 0.05
    assert (half.mean(dim=1) - 0.5).abs().mean() == pytest.approx(0.08, abs=0.01)
    assert torch.corrcoef(half.T).fill_diagonal_(0).abs().max() < 0.08


def test_a_spike_is_a_draw_below_the_rate():
    signed = torch.tensor([[30000, -40000, 5]], dtype=torch.int32)
    keys = learning_keys(9, 4, torch.tensor([17]))
    spikes = spike_trains(signed, keys, n_timesteps=40)[0]
    for channel in range(3):
        for t in range(40):
            draw = 0
            for k in range(16):
                counter = channel + (((t // 32) * 16 + k) << 20)
                hashed = int(mix((keys.low[0] + counter) & MASK, keys.high[0]))
                draw |= (1 - (hashed >> (t % 32) & 1)) << k
            rate = int(signed[0, channel])
            assert bool(spikes[t, channel]) == (draw < rate)
            assert bool(spikes[t, channel + 3]) == (draw < -rate)


def test_the_hash_by_hand():
    def by_hand(x, key):
        x ^= x >> 17
        x = x * 0xED5AD4BB % 2**32
        x ^= x >> 11
        x = (x + key) % 2**32
        x = x * 0xAC4C1B51 % 2**32
        x ^= x >> 15
        x = x * 0x31848BAB % 2**32
        return x ^ (x >> 14)

    x = torch.tensor([0, 1, 12345, MASK])
    expected = [by_hand(int(value), 987654321) for value in x]
    assert mix(x, torch.full_like(x, 987654321)).tolist() == expected


def test_the_hash_is_as_good_as_chance():
    # Draws of 2,000 samples x 64 channels x 32 steps.
    keys = learning_keys(3, 0, torch.arange(2000))
    signed = torch.full((2000, 64), FULL_RATE // 2, dtype=torch.int32)
    bits = RateInput(signed, keys).trains(32)[..., :64].double()
    assert abs(bits.mean() - 0.5) < 4 * 0.5 / bits.numel() ** 0.5
    # Neighbours in sample, step and channel, and pairs of them, are uncorrelated.
    centred = 2 * bits - 1
    for axes in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]:
        product = centred * torch.roll(centred, [1] * len(axes), axes)
        assert abs(product.mean()) < 4.5 / bits.numel() ** 0.5, axes
    # Counts of a sample are binomial: their variance is n / 4.
    totals = bits.sum(dim=(1, 2))
    assert totals.var() == pytest.approx(2048 / 4, rel=0.15)


@pytest.mark.parametrize("bit", [0, 7, 13, 20, 31])
def test_one_changed_bit_changes_half_of_the_hash(bit):
    x = torch.randint(0, MASK, (4000,), generator=torch.Generator().manual_seed(0))
    key = torch.flip(x, [0])
    changed = mix(x, key) ^ mix(x ^ (1 << bit), key)
    shares = torch.stack([(changed >> i & 1).double().mean() for i in range(32)])
    assert (shares - 0.5).abs().max() < 0.06


def test_packing_and_unpacking():
    spikes = torch.rand(3, 70, 5, generator=torch.Generator().manual_seed(0)) < 0.3
    assert torch.equal(unpack(pack(spikes), 70), spikes)
    assert pack(spikes).shape == (3, 5, 3)


rates = st.lists(st.integers(-FULL_RATE, FULL_RATE), min_size=6, max_size=6)


@settings(max_examples=25)
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
            label_keys(0, ids),
            predict_keys(0, signed),
        )
    ]
    for i, one in enumerate(trains):
        for other in trains[:i]:
            assert not torch.equal(one, other)
