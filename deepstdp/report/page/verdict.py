"""The verdict in a sentence, and what looks ill."""

import math
from collections.abc import Mapping, Sequence

from deepstdp.comparison.statistics import estimate, paired_difference
from deepstdp.report.page.reading import RunView

PROBE = "linear_probe_accuracy"
_KEEPERS = ("stdp", "kmeans-warm", "sinkhorn")
"""Clusterers whose labels should persist from epoch to epoch."""


def verdict(groups: Mapping[str, Sequence[RunView]]) -> list[str]:
    """A sentence for each method."""
    return [_of_group(name, views) for name, views in groups.items()]


def _of_group(name: str, views: Sequence[RunView]) -> str:
    finished = [view for view in views if view.summary is not None]
    if not finished:
        done = max(len(view.metrics) for view in views)
        return f"{name}: not finished, {done} of {views[0].config.training.epochs} epochs so far."
    if not views[0].learns:
        level = _percent([view.final.get(PROBE) for view in finished])
        return f"{name}: the untrained network. {_probe(level)}"
    pairs = [
        (view.final[PROBE], view.untrained[PROBE])
        for view in finished
        if view.final.get(PROBE) is not None and view.untrained.get(PROBE) is not None
    ]
    if not pairs:
        return (
            f"{name}: the images have no labels, so nothing says what the features are worth. "
            f"{_stability(finished)}"
        )
    if len(pairs) == 1:
        n_val = finished[0].summary["n_val"] if finished[0].summary else 1
        return _one_seed(name, *pairs[0], n_val)
    gain = paired_difference([p for p, _ in pairs], [u for _, u in pairs])
    low, high = (100 * end for end in gain["ci95"])
    level = _percent([p for p, _ in pairs])
    return (
        f"{name}: {_word(low, high)} the untrained network. {_probe(level)} "
        f"{100 * gain['mean']:+.1f} points over untrained [{low:+.1f}, {high:+.1f}], "
        f"{len(pairs)} seeds."
    )


def _one_seed(name: str, probe: float, untrained: float, n_val: int) -> str:
    """Two shares of the same n images: their difference by sqrt(2 p (1 - p) / n) at most."""
    middle = (probe + untrained) / 2
    half = 196 * math.sqrt(2 * middle * (1 - middle) / n_val)
    gain = 100 * (probe - untrained)
    return (
        f"{name}: {_word(gain - half, gain + half)} the untrained network. "
        f"The linear probe has {probe:.1%}, {gain:+.1f} points over untrained; {n_val} images tell "
        f"differences of {half:.1f} points, and one seed says nothing of other seeds."
    )


def _word(low: float, high: float) -> str:
    if low > 0:
        return "better than"
    return "worse than" if high < 0 else "not distinguishable from"


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


def warnings(view: RunView) -> list[str]:
    """What should worry the owner of a run, and what to do about it."""
    final, k = view.final, view.config.clustering.n_clusters
    found = []
    if view.summary is None:
        found.append(
            f"The run is not finished: {len(view.metrics)} of {view.config.training.epochs} "
            "epochs. deepstdp train --resume goes on."
        )
    if not view.learns:
        return found
    if _below_untrained(view):
        found.append(
            "The linear probe ends below the untrained network: training took away more than it "
            "gave. Fewer epochs, a lower learning rate, or configs/deep-stdp-2-cpu.yaml."
        )
    empty = final.get("n_empty_clusters")
    if empty and empty > 0.05 * k:
        found.append(
            f"{empty} of {k} clusters are empty: dead neurons. Fewer clusters, or "
            "clustering.stdp.homeostasis floor."
        )
    largest = final.get("largest_cluster")
    if largest is not None and largest > max(0.5, 2 / k):
        found.append(f"One cluster holds {largest:.0%} of the images: the clusters have collapsed.")
    stability = final.get("assignment_stability")
    if stability is not None and stability < 0.3 and view.method in _KEEPERS:
        found.append(
            f"Only {stability:.0%} of the images keep their cluster from epoch to epoch: the "
            "network learns labels that do not last. Is reduction.align on?"
        )
    retest = final.get("retest_agreement")
    if retest is not None and retest < 0.5:
        found.append(
            f"Under other spikes only {retest:.0%} of the images get the same cluster: more "
            "clustering.stdp.n_timesteps, or fewer clusters."
        )
    return found + _of_files(view)


def _below_untrained(view: RunView) -> bool:
    probe, untrained = view.final.get(PROBE), view.untrained.get(PROBE)
    return probe is not None and untrained is not None and probe < untrained


def _of_files(view: RunView) -> list[str]:
    summary = view.summary or {}
    found = []
    silent = view.final.get("n_silent")
    if silent and silent > 0.1 * summary.get("n_train", math.inf):
        found.append(f"{silent} images made no neuron fire: raise clustering.stdp.input_spikes.")
    if summary.get("n_skipped"):
        found.append(f"{summary['n_skipped']} files were left out; summary.json names them.")
    return found
