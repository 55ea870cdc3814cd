import numpy as np
import pytest

from deepstdp.evaluation.paired import in_words, paired_points


def test_paired_points_by_hand():
    ours = np.array([True] * 50 + [False] * 50)
    theirs = ours.copy()
    theirs[:3], theirs[60:64] = False, True  # we alone are right in 3, they alone in 4
    found = paired_points(ours, theirs)
    assert found["mean"] == pytest.approx(-1)
    assert (found["gained"], found["lost"]) == (3, 4)
    d, half = -100 / 102, 100 * 1.959964 * np.sqrt(8 - 1 / 102) / 102
    assert found["ci95"] == pytest.approx([d - half, d + half])
    alike = paired_points(ours, ours)
    assert alike["mean"] == 0
    assert alike["ci95"] == pytest.approx([-1.92, 1.92], abs=0.01)


def test_an_interval_in_words():
    assert in_words(0.1, 2) == "better than"
    assert in_words(-2, -0.1) == "worse than"
    assert in_words(-1, 1) == in_words(0, 1) == "not distinguishable from"
