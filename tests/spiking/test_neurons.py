import math

import pytest
import torch

from deepstdp.spiking.neurons import (
    NOBODY,
    V_MAX,
    decay,
    graded_inhibition,
    hard_inhibition,
    integrate,
    winner_take_all,
)


def test_decay_is_the_exponential():
    assert decay(1.0, 20.0) == pytest.approx(math.exp(-0.05))


def test_lif_trace_by_hand():
    # lambda = 0.5, I = 1 in each step, threshold 1.6: v = 1, 1.5, 1.75 -> spike -> 0, 1, ...
    v, trace = torch.zeros(1, 1), []
    for _ in range(5):
        v = integrate(v, torch.ones(1, 1), 0.5)
        trace.append(v.item())
        v = hard_inhibition(v, winner_take_all(v, torch.tensor([1.6])))
    assert trace == [1.0, 1.5, 1.75, 1.0, 1.5]


def test_the_furthest_above_its_own_threshold_fires():
    v = torch.tensor([[3.0, 2.0, 0.0], [3.0, 2.9, 0.0], [1.0, 1.0, 0.0], [2.5, 1.0, 5.0]])
    threshold = torch.tensor([2.5, 1.0, 5.0])
    assert winner_take_all(v, threshold).tolist() == [1, 1, 1, 0]
    assert winner_take_all(v - 3, threshold).tolist() == [NOBODY] * 4


def test_hard_inhibition_resets_all_neurons_of_the_samples_that_fired():
    v = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert hard_inhibition(v, torch.tensor([NOBODY, 1])).tolist() == [[1, 2], [0, 0]]


def test_graded_inhibition_lowers_the_losers():
    v = torch.tensor([[1.0, 2.0, 0.3], [1.0, 2.0, 0.3]])
    result = graded_inhibition(v, torch.tensor([1, NOBODY]), torch.tensor(0.5))
    assert torch.allclose(result, torch.tensor([[0.5, 0, 0], [1.0, 2.0, 0.3]]))


def test_fixed_point_lif_trace_by_hand():
    # leak 512/1024, I = 7: 7, floor(3.5) + 7 = 10, 5 + 7 = 12, 6 + 7 = 13, floor(6.5) + 7 = 13
    v, trace = torch.zeros(1, 1, dtype=torch.int32), []
    for _ in range(5):
        v = integrate(v, torch.full((1, 1), 7, dtype=torch.int32), 512)
        trace.append(v.item())
    assert trace == [7, 10, 12, 13, 13]
    assert integrate(torch.full((1, 1), V_MAX, dtype=torch.int32), v, 1024).item() == V_MAX


def test_of_equals_the_first_fires():
    v = torch.tensor([[1, 5, 5], [2, 2, 2], [0, 1, 7]], dtype=torch.int32)
    assert winner_take_all(v, torch.zeros(3, dtype=torch.int32)).tolist() == [1, 0, 2]
