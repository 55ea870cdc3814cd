import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from deepstdp.comparison.statistics import (
    Curve,
    estimate,
    iso_accuracy,
    paired_difference,
    paired_ratio,
    versus,
)


def test_estimate_is_scipys_interval():
    values = [0.3, 0.5, 0.4, 0.45]
    result = estimate(values)
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    assert result["mean"] == pytest.approx(np.mean(values))
    assert result["ci95"] == pytest.approx([interval.low, interval.high])


def test_one_seed_has_no_interval_and_none_no_mean():
    assert estimate([0.4]) == {"mean": 0.4, "ci95": None}
    assert estimate([None, None]) == {"mean": None, "ci95": None}


def test_paired_ratio_by_hand():
    # log ratios ln 2 and ln 8: mean ln 4, s = ln 4 / sqrt 2 ... half width t s / sqrt 2.
    result = paired_ratio([2, 8], [1, 1])
    half = t.ppf(0.975, 1) * np.std([np.log(2), np.log(8)], ddof=1) / np.sqrt(2)
    assert result["mean"] == pytest.approx(4)
    assert result["ci95"] == pytest.approx([4 / np.exp(half), 4 * np.exp(half)])
    assert paired_ratio([0.0], [1.0])["mean"] is None


def test_pairing_removes_what_seeds_share():
    ours, theirs = [0.5, 0.7, 0.9], [0.4, 0.6, 0.8]
    assert paired_difference(ours, theirs)["ci95"] == pytest.approx([0.1, 0.1])


def curve(*accuracy):
    n = len(accuracy)
    return Curve(list(range(1, n + 1)), accuracy, [10.0 * i for i in range(n)])


def test_iso_accuracy_by_hand():
    theirs = [curve(0.1, 0.2, 0.3, 0.5), curve(0.2, 0.3, 0.4, 0.4)]
    ours = [curve(0.1, 0.5, 0.6, 0.6), curve(0.4, 0.4, 0.4, 0.4)]
    result = iso_accuracy(ours, theirs, width=1)
    # Epochs 4 / 2 and 3 / 1; seconds 30 / 10 and 20 / 0, which has no ratio.
    assert result["epochs_to_kmeans_best"]["mean"] == pytest.approx(1.5)
    assert result["epochs_speedup"]["mean"] == pytest.approx(np.sqrt(2 * 3))
    assert result["n_censored"] == 0
    assert not result["speedup_is_upper_bound"]


def test_a_run_that_never_arrives_is_censored_not_dropped():
    theirs = [curve(0.1, 0.5, 0.5, 0.5)] * 2
    ours = [curve(0.1, 0.2, 0.3, 0.4), curve(0.5, 0.5, 0.5, 0.5)]
    result = iso_accuracy(ours, theirs, width=1)
    assert result["n_censored"] == 1
    assert result["speedup_is_upper_bound"]
    assert result["epochs_to_kmeans_best"]["mean"] == pytest.approx(2.5)


def test_versus_gives_ratio_percent_and_points():
    result = versus({"knn_accuracy": [0.5, 0.5]}, {"knn_accuracy": [0.4, 0.4]})["knn_accuracy"]
    assert result["ratio"]["mean"] == pytest.approx(1.25)
    assert result["percent"]["mean"] == pytest.approx(25)
    assert result["points"]["mean"] == pytest.approx(10)
    assert result["points"]["ci95"] == pytest.approx([10, 10])
