import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from deepstdp.keyed_random import Stream, chance, numpy_generator, philox, torch_generator, uniform

# Known answers of Random123 for philox4x32-10 (kat_vectors).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_answers(counter, key, expected):
    words = philox(tuple(torch.tensor(c) for c in counter), key)
    assert tuple(int(w) for w in words) == expected


def test_draws_depend_on_the_id_and_not_on_its_place():
    ids = torch.tensor([5, 2**40 + 3, 0])
    draws = uniform(7, Stream.DROPOUT, 2, ids, 6)
    assert torch.equal(draws[[2, 0]], uniform(7, Stream.DROPOUT, 2, ids[[2, 0]], 6))
    assert torch.equal(draws[:, :3], uniform(7, Stream.DROPOUT, 2, ids, 3))


def test_every_part_of_the_key_matters():
    ids = torch.arange(4)
    base = uniform(7, Stream.DROPOUT, 2, ids, 8)
    for other in (
        uniform(8, Stream.DROPOUT, 2, ids, 8),
        uniform(7 + 2**32, Stream.DROPOUT, 2, ids, 8),
        uniform(7, Stream.AUGMENTATION, 2, ids, 8),
        uniform(7, Stream.DROPOUT, 3, ids, 8),
        uniform(7, Stream.DROPOUT, 2, ids + 2**32, 8),
    ):
        assert not (base == other).any()


def test_draws_are_uniform():
    draws = uniform(1, Stream.SAMPLER, 0, torch.arange(2000), 10).flatten().numpy()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert kstest(draws, "uniform").pvalue > 0.001


def test_generators_differ_by_counter_and_repeat_by_key():
    first = numpy_generator(1, Stream.SAMPLER, 3).random(4)
    assert np.array_equal(first, numpy_generator(1, Stream.SAMPLER, 3).random(4))
    assert not np.array_equal(first, numpy_generator(1, Stream.SAMPLER, 4).random(4))
    a, b = (torch.rand(4, generator=torch_generator(1, Stream.HEAD, e)) for e in (0, 1))
    assert not torch.equal(a, b)


def test_trailing_zero_counters_are_told_apart():
    first, second = (numpy_generator(0, Stream.SPLIT, *counters) for counters in ((), (0,)))
    assert first.random() != second.random()


@settings(max_examples=20)
@given(st.sampled_from([0.0, 1.0]) | st.floats(0.02, 0.98), st.integers(0, 2**40))
def test_chance_has_its_probability_wherever_it_is_asked(probability, seed):
    happens = chance(seed, Stream.DROPOUT, 3, torch.arange(200), 500, probability)
    n = happens.numel()
    bound = 5 * (probability * (1 - probability) / n) ** 0.5 + 1e-9
    assert abs(happens.double().mean() - probability) <= bound
    # Rows and columns are as even as chance has them.
    for axis, length in ((0, 200), (1, 500)):
        spread = 6 * (probability * (1 - probability) / length) ** 0.5 + 1e-9
        assert (happens.double().mean(dim=axis) - probability).abs().max() <= spread


def test_chance_is_a_function_of_its_key():
    ids = torch.arange(50)
    one = chance(1, Stream.DROPOUT, 3, ids, 64, 0.5)
    assert torch.equal(one[10:20], chance(1, Stream.DROPOUT, torch.tensor(3), ids[10:20], 64, 0.5))
    for other in (
        chance(2, Stream.DROPOUT, 3, ids, 64, 0.5),
        chance(1, Stream.SAMPLER, 3, ids, 64, 0.5),
        chance(1, Stream.DROPOUT, 4, ids, 64, 0.5),
        chance(1, Stream.DROPOUT, 3, ids + (1 << 32), 64, 0.5),
    ):
        assert 0.4 < (one == other).double().mean() < 0.6
