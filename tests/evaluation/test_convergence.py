import pytest

from deepstdp.evaluation.convergence import best, first_reaching, smooth


def test_smoothing_by_hand():
    assert smooth([0, 3, 6, 3], 3).tolist() == pytest.approx([1, 3, 4, 4])
    assert smooth([1, 2], 1).tolist() == [1, 2]


def test_the_first_epoch_that_reaches_a_level():
    curve = [0.1, 0.2, 0.6, 0.4, 0.7]
    assert first_reaching(curve, 0.6, 1) == 2
    assert first_reaching(curve, 0.71, 1) is None
    assert best(curve, 1) == 0.7


def test_a_single_peak_is_smoothed_away():
    assert first_reaching([0, 0, 1, 0, 0, 0], 0.9, 3) is None
