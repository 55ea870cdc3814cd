"""The verdict in a sentence."""

import math
from collections.abc import Mapping, Sequence

from deepstdp.comparison.statistics import estimate, paired_difference
from deepstdp.evaluation.paired import in_words
from deepstdp.report.reading import PROBE, RunView, baseline_of, finished, paired_by_seed


def verdict(groups: Mapping[str, Sequence[RunView]]) -> list[str]:
    """A sentence for each method, and one for each that can be compared with the baseline."""
    said = [_of_group(name, views) for name, views in groups.items()]
    base = baseline_of(groups)
    if base is None:
        return said
    others = [(name, views) for name, views in groups.items() if name != base and views[0].learns]
    return said + [
        sentence
        for name, views in others
        if (sentence := _against(name, views, base, groups[base])) is not None
    ]


def _against(
    name: str, views: Sequence[RunView], base: str, theirs: Sequence[RunView]
) -> str | None:
    """One method and the baseline, seed by seed."""
    pairs = paired_by_seed(finished(views), finished(theirs))
    if not pairs:
        return None
    gain = 100 * (pairs[0][0] - pairs[0][1])
    if len(pairs) == 1:
        half = told_apart(*pairs[0], finished(views)[0])
        seeds = f"one seed, {half:.1f} points can be told apart"
        return (
            f"{name} is {in_words(gain - half, gain + half)} {base}: {gain:+.1f} points, {seeds}."
        )
    found = paired_difference([ours for ours, _ in pairs], [their for _, their in pairs])
    low, high = (100 * end for end in found["ci95"])
    points = f"{100 * found['mean']:+.1f} points [{low:+.1f}, {high:+.1f}]"
    return f"{name} is {in_words(low, high)} {base}: {points}, {len(pairs)} seeds."


def _of_group(name: str, views: Sequence[RunView]) -> str:
    done = finished(views)
    if not done:
        epochs = max(len(view.metrics) for view in views)
        return f"{name}: not finished, {epochs} of {views[0].config.training.epochs} epochs so far."
    if not views[0].learns:
        level = _percent([view.final.get(PROBE) for view in done])
        return f"{name}: the untrained network. {_probe(level)}"
    pairs = [
        (view.final[PROBE], view.untrained[PROBE])
        for view in done
        if view.final.get(PROBE) is not None and view.untrained.get(PROBE) is not None
    ]
    if not pairs:
        return (
            f"{name}: the images have no labels, so nothing says what the features are worth. "
            f"{_stability(done)}"
        )
    if len(pairs) == 1:
        return _one_seed(name, *pairs[0], done[0])
    gain = paired_difference([p for p, _ in pairs], [u for _, u in pairs])
    low, high = (100 * end for end in gain["ci95"])
    level = _percent([p for p, _ in pairs])
    return (
        f"{name}: {in_words(low, high)} the untrained network. {_probe(level)} "
        f"{100 * gain['mean']:+.1f} points against the untrained one's [{low:+.1f}, {high:+.1f}], "
        f"{len(pairs)} seeds."
    )


def _one_seed(name: str, probe: float, untrained: float, view: RunView) -> str:
    half, gain = told_apart(probe, untrained, view), 100 * (probe - untrained)
    n_val = view.summary["n_val"] if view.summary else 1
    return (
        f"{name}: {in_words(gain - half, gain + half)} the untrained network. "
        f"The linear probe has {probe:.1%}, {gain:+.1f} points against the untrained one's; on "
        f"{n_val} images less than {half:.1f} may be chance, and one seed says nothing of others."
    )


def told_apart(probe: float, other: float, view: RunView) -> float:
    """Points by which two shares of a run's validation images must differ to be told apart.

    The difference of two shares of n images has a standard error of at most sqrt(2 p (1 - p) / n).
    One image right and one wrong are added to each, so that none wrong is not taken for certainty
    (Agresti and Caffo 2000).
    """
    n_val = view.summary["n_val"] if view.summary else 1
    middle = ((probe + other) / 2 * n_val + 1) / (n_val + 2)
    return 196 * math.sqrt(2 * middle * (1 - middle) / (n_val + 2))


def _percent(values: Sequence[float | None]) -> str:
    found = estimate(values)
    if found["mean"] is None:
        return ""
    half = "" if found["ci95"] is None else f" ± {100 * (found['ci95'][1] - found['mean']):.1f}"
    return f"{100 * found['mean']:.1f}{half} %"


def _probe(level: str) -> str:
    return f"The linear probe has {level}." if level else "Without labels nothing is measured."


def _stability(views: Sequence[RunView]) -> str:
    level = _percent([view.final.get("assignment_stability") for view in views])
    return f"From epoch to epoch {level} of them keep their cluster." if level else ""
