"""Means with intervals, and paired comparisons with a baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool
from scipy.stats import t as student_t

from deepstdp.evaluation.convergence import best, first_reaching

Interval = tuple[float, float] | None
Estimate = dict[str, Any]
Correct = Bool[np.ndarray, "m"]

ACCURACIES = ("linear_probe_accuracy", "knn_accuracy", "cluster_accuracy")


@dataclass(frozen=True)
class Curve:
    """One run's accuracy over epochs, and the training time spent until then.

    Attributes:
        epochs: epochs at which the accuracy was measured.
        accuracy: linear probe.
        seconds: features, reduction, clustering and training so far; evaluation is not counted.
        untrained: accuracy before the first epoch.
    """

    epochs: Sequence[int]
    accuracy: Sequence[float]
    seconds: Sequence[float]
    untrained: float


def estimate(values: Sequence[float | None]) -> Estimate:
    """Mean and 95 % t-interval over seeds; the interval is None for fewer than two values."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if len(known) == 0:
        return {"mean": None, "ci95": None}
    mean = float(known.mean())
    half = half_width(known)
    return {"mean": mean, "ci95": None if half is None else [mean - half, mean + half]}


def half_width(values: np.ndarray) -> float | None:
    """Half the 95 % t-interval of a mean: t_{n-1, 0.975} s / sqrt(n)."""
    n = len(values)
    if n < 2:
        return None
    return float(student_t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """Geometric mean of ours / theirs over seeds, with the t-interval of the paired log-ratios."""
    ours_array, theirs_array = np.asarray(ours, float), np.asarray(theirs, float)
    if len(ours) == 0 or (ours_array <= 0).any() or (theirs_array <= 0).any():
        return {"mean": None, "ci95": None}
    logs = np.log(ours_array / theirs_array)
    mean, half = float(logs.mean()), half_width(logs)
    interval = None if half is None else [float(np.exp(mean - half)), float(np.exp(mean + half))]
    return {"mean": float(np.exp(mean)), "ci95": interval}


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """Mean of ours - theirs over seeds, with the paired t-interval."""
    return estimate([a - b for a, b in zip(ours, theirs, strict=True)])


def bootstrap_ratio(
    ours: Sequence[Correct],
    theirs: Sequence[Correct],
    same_images: bool,
    rng: np.random.Generator,
    n_resamples: int = 4_000,
) -> Estimate:
    """Ratio of mean accuracies, with the 95 % percentile interval of a two-level bootstrap.

    Each resample draws seeds, and of each drawn seed images; both methods share the draws. Where
    all seeds have the same images, one draw of images serves them all: what one image has in
    common over seeds does not average out.

    Args:
        ours: for each seed, which images are right.
        theirs: the same of the baseline.
        same_images: whether image i is the same in all seeds.
        rng: of the resamples.
        n_resamples: how many.
    """
    n_seeds, n_images = len(ours), len(ours[0])
    if any(len(correct) != n_images for correct in [*ours, *theirs]):
        raise ValueError("all seeds need equally many images")
    pair = np.stack([np.stack(ours), np.stack(theirs)]).astype(np.float64)  # (2, S, M)
    ratios = np.full(n_resamples, np.nan)
    for i in range(n_resamples):
        drawn = rng.integers(n_seeds, size=n_seeds)
        shape = (1 if same_images else n_seeds, n_images)
        counts = np.stack(
            [np.bincount(row, minlength=n_images) for row in rng.integers(n_images, size=shape)]
        )
        mine, base = (pair[:, drawn] * counts).sum(axis=(1, 2))
        if base > 0:
            ratios[i] = mine / base
    if np.isnan(ratios).any() or pair[1].sum() == 0:
        return {"mean": None, "ci95": None}
    low, high = np.percentile(ratios, [2.5, 97.5])
    return {"mean": float(pair[0].mean() / pair[1].mean()), "ci95": [float(low), float(high)]}


def iso_accuracy(ours: Sequence[Curve], theirs: Sequence[Curve], width: int) -> dict[str, Any]:
    """How much sooner our runs reach the best accuracy of theirs, seed by seed.

    The level is the highest point of the baseline's smoothed curve. A run that never reaches it
    is censored at its last epoch: it counts as reaching it there, so with any censored run the
    ratio is an upper bound of the speed-up, and says so. Where the level does not lie above the
    untrained network, nothing has converged and the ratio means little: that is counted too.

    Args:
        ours: one curve a seed.
        theirs: the baseline's, of the same seeds in the same order.
        width: evaluations that the smoothing averages.

    Returns:
        Epochs and seconds to the level, ratios (theirs / ours: above 1 is faster), how many runs
        are censored, and of how many seeds the level is no better than the untrained network.
    """
    rows, n_below = [], 0
    for mine, base in zip(ours, theirs, strict=True):
        level = best(base.accuracy, width)
        n_below += level <= base.untrained
        base_at = first_reaching(base.accuracy, level, width)
        at = first_reaching(mine.accuracy, level, width)
        assert base_at is not None
        reached = len(mine.epochs) - 1 if at is None else at
        rows.append((mine, reached, at is None, base, base_at))
    epochs = [mine.epochs[at] for mine, at, *_ in rows]
    seconds = [mine.seconds[at] for mine, at, *_ in rows]
    base_epochs = [base.epochs[at] for *_, base, at in rows]
    base_seconds = [base.seconds[at] for *_, base, at in rows]
    n_censored = sum(censored for _, _, censored, _, _ in rows)
    return {
        "epochs_to_baseline_best": estimate(epochs),
        "seconds_to_baseline_best": estimate(seconds),
        "epochs_speedup": paired_ratio(base_epochs, epochs),
        "seconds_speedup": paired_ratio(base_seconds, seconds),
        "n_censored": n_censored,
        "speedup_is_upper_bound": n_censored > 0,
        "n_levels_below_untrained": n_below,
    }


def versus(
    ours: Mapping[str, Sequence[float]], theirs: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """Accuracies relative to the baseline, paired by seed: ratio, per cent and points."""
    result: dict[str, Any] = {}
    for name in ACCURACIES:
        if name not in ours or name not in theirs:
            continue
        ratio = paired_ratio(ours[name], theirs[name])
        points = paired_difference(ours[name], theirs[name])
        result[name] = {
            "ratio": ratio,
            "percent": _map(ratio, lambda value: 100 * (value - 1)),
            "points": _map(points, lambda value: 100 * value),
        }
    return result


def _map(value: Estimate, function: Any) -> Estimate:
    mean, ci95 = value["mean"], value["ci95"]
    return {
        "mean": None if mean is None else function(mean),
        "ci95": None if ci95 is None else [function(end) for end in ci95],
    }
