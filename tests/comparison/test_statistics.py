import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from deepstdp.comparison.statistics import (
    Curve,
    bootstrap_ratio,
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


def curve(*accuracy, untrained=0.0):
    n = len(accuracy)
    return Curve(list(range(1, n + 1)), accuracy, [10.0 * i for i in range(n)], untrained)


def test_iso_accuracy_by_hand():
    theirs = [curve(0.1, 0.2, 0.3, 0.5), curve(0.2, 0.3, 0.4, 0.4)]
    ours = [curve(0.1, 0.5, 0.6, 0.6), curve(0.4, 0.4, 0.4, 0.4)]
    result = iso_accuracy(ours, theirs, width=1)
    # Epochs 4 / 2 and 3 / 1; seconds 30 / 10 and 20 / 0, which has no ratio.
    assert result["epochs_to_baseline_best"]["mean"] == pytest.approx(1.5)
    assert result["epochs_speedup"]["mean"] == pytest.approx(np.sqrt(2 * 3))
    assert result["n_censored"] == 0
    assert not result["speedup_is_upper_bound"]


def test_a_run_that_never_arrives_is_censored_not_dropped():
    theirs = [curve(0.1, 0.5, 0.5, 0.5)] * 2
    ours = [curve(0.1, 0.2, 0.3, 0.4), curve(0.5, 0.5, 0.5, 0.5)]
    result = iso_accuracy(ours, theirs, width=1)
    assert result["n_censored"] == 1
    assert result["speedup_is_upper_bound"]
    assert result["epochs_to_baseline_best"]["mean"] == pytest.approx(2.5)


def test_a_level_that_the_untrained_network_has_is_told():
    theirs = [curve(0.1, 0.3, untrained=0.3), curve(0.1, 0.3, untrained=0.2)]
    assert iso_accuracy(theirs, theirs, width=1)["n_levels_below_untrained"] == 1


def test_bootstrap_brackets_the_ratio():
    ours, theirs = [[True] * 40, [True, False] * 20] * 3, [[True, False] * 20] * 6
    masks = [[np.array(mask) for mask in masks] for masks in (ours, theirs)]
    result = bootstrap_ratio(*masks, True, np.random.default_rng(0))
    assert result["mean"] == pytest.approx(1.5)
    low, high = result["ci95"]
    assert 1 < low < 1.5 < high


def test_bootstrap_of_a_method_with_itself_is_one():
    rng = np.random.default_rng(1)
    masks = [rng.random(50) < 0.4 for _ in range(5)]
    for same_images in (True, False):
        result = bootstrap_ratio(masks, masks, same_images, rng, n_resamples=50)
        assert result["ci95"] == pytest.approx([1, 1])


def test_shared_images_widen_the_interval_as_the_theory_says():
    # All seeds agree on every image: only the draw of images varies, as one binomial.
    rng = np.random.default_rng(2)
    ours, theirs = np.arange(400) % 2 == 0, np.ones(400, dtype=bool)
    half = {}
    for same_images in (True, False):
        result = bootstrap_ratio([ours] * 4, [theirs] * 4, same_images, rng)
        low, high = result["ci95"]
        half[same_images] = (high - low) / 2
    assert half[True] == pytest.approx(1.96 * np.sqrt(0.25 / 400), rel=0.1)
    assert half[False] == pytest.approx(half[True] / 2, rel=0.1)


def test_bootstrap_says_nothing_of_a_baseline_that_is_always_wrong():
    right, wrong = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
    result = bootstrap_ratio([right], [wrong], True, np.random.default_rng(0))
    assert result == {"mean": None, "ci95": None}


def test_versus_gives_ratio_percent_and_points():
    result = versus({"knn_accuracy": [0.5, 0.5]}, {"knn_accuracy": [0.4, 0.4]})["knn_accuracy"]
    assert result["ratio"]["mean"] == pytest.approx(1.25)
    assert result["percent"]["mean"] == pytest.approx(25)
    assert result["points"]["mean"] == pytest.approx(10)
    assert result["points"]["ci95"] == pytest.approx([10, 10])
