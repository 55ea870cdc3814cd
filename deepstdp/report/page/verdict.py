"""The verdict in a sentence."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from deepstdp.comparison.statistics import estimate, paired_difference
from deepstdp.evaluation.paired import in_words, paired_points
from deepstdp.files import Record
from deepstdp.report.reading import PROBE, RunView, baseline_of, finished, same_seeds

Right = Bool[np.ndarray, "m"]

_UNKNOWN = "and nothing is kept that tells how much of it is chance"


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
    runs = same_seeds(finished(views), finished(theirs))
    if not runs:
        return None
    if len(runs) == 1:
        return _against_one(name, base, *runs[0])
    pairs = [(a.final[PROBE], b.final[PROBE]) for a, b in runs]
    found = paired_difference([ours for ours, _ in pairs], [their for _, their in pairs])
    low, high = (100 * end for end in found["ci95"])
    points = f"{100 * found['mean']:+.1f} points [{low:+.1f}, {high:+.1f}]"
    return f"{name} is {in_words(low, high)} {base}: {points}, {len(pairs)} seeds."


def _against_one(name: str, base: str, ours: RunView, theirs: RunView) -> str:
    points = 100 * (ours.final[PROBE] - theirs.final[PROBE])
    found = None
    if (ours.summary or {})["val_images"] == (theirs.summary or {})["val_images"]:
        found = _on_the_same_images(ours.right(), theirs.right())
    if found is None:
        return f"{name} and {base}: {points:+.1f} points, one seed, {_UNKNOWN}."
    low, high = found["ci95"]
    return (
        f"{name} is {in_words(low, high)} {base}: {points:+.1f} points [{low:+.1f}, {high:+.1f}] "
        "on the same images, one seed."
    )


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
    said = (
        f"The linear probe has {probe:.1%}, {100 * (probe - untrained):+.1f} points against the "
        "untrained one's"
    )
    found = gain(view)
    if found is None:
        return f"{name}: {said}, {_UNKNOWN}."
    (low, high), n_val = found["ci95"], (view.summary or {})["n_val"]
    return (
        f"{name}: {in_words(low, high)} the untrained network. {said} [{low:+.1f}, {high:+.1f}] on "
        f"the same {n_val} images; one seed says nothing of others."
    )


def gain(view: RunView) -> Record | None:
    """What training gained of the linear probe (see ``paired_points``), where that was kept."""
    return _on_the_same_images(view.right(), view.right(trained=False))


def _on_the_same_images(ours: Right | None, theirs: Right | None) -> Record | None:
    if ours is None or theirs is None or len(ours) != len(theirs) or len(ours) == 0:
        return None
    return paired_points(ours, theirs)


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
    largest = _percent([view.final.get("largest_cluster") for view in views])
    if not level or not largest:
        return ""
    return (
        f"Clustered once more after the last epoch, {level} of them keep their cluster; the "
        f"largest cluster holds {largest}."
    )
