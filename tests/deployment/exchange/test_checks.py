"""What a check says of what it compared."""

import numpy as np
import pytest

from deepstdp.deployment.exchange.checks import counts_check, values_check
from deepstdp.errors import kind_and_line


def test_counts_by_hand():
    found = counts_check("x", np.array([[1, 2, 3]]), np.array([[1, 4, 2]]))
    assert found.failed
    assert found.line == "2 of 3 spike counts differ, by 2 at most"
    same = counts_check("x", np.arange(3)[None], np.arange(3)[None])
    assert (same.failed, same.line) == (False, "0 of 3 spike counts differ")


def test_other_numbers_of_neurons_are_another_network_s():
    counts = counts_check("x", np.zeros((2, 3), int), np.zeros((2, 4), int))
    assert (counts.failed, counts.line) == (True, "gives counts of shape (2, 3), not (2, 4)")
    assert values_check("x", np.zeros((2, 1)), np.zeros((2, 4)), 0.1).failed


@pytest.mark.parametrize(("off", "failed"), [(0.0, False), (0.009, False), (0.02, True)])
def test_values_may_differ_by_a_share_of_the_largest(off, failed):
    expected = np.array([[10.0, 1.0]])
    found = values_check("x", expected + off * 10, expected, tolerance=0.01)
    assert found.failed == failed


def test_some_values_may_be_allowed_to_differ():
    expected = np.ones((1, 100))
    found = expected.copy()
    found[0, :2] = 0.5
    assert values_check("x", found, expected, 0.01, most_wrong=0.01).failed
    allowed = values_check("x", found, expected, 0.01, most_wrong=0.02)
    assert not allowed.failed
    assert allowed.line.startswith("2 of 100 values differ by more than 0.01")


def test_what_is_no_number_differs():
    assert values_check("x", np.array([[np.nan, 1.0]]), np.ones((1, 2)), 0.01).failed


def test_an_error_is_its_first_line():
    assert kind_and_line(ValueError("this\nand that")) == "ValueError: this"
