"""``comparison.json``: what the trials of a comparison show."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepstdp.comparison.raw_pixels import RAW_PIXELS, raw_pixels_path
from deepstdp.comparison.statistics import (
    Correct,
    Curve,
    bootstrap_ratio,
    estimate,
    iso_accuracy,
    versus,
)
from deepstdp.evaluation.convergence import best, first_reaching
from deepstdp.evaluation.measure import right
from deepstdp.files import Record, read_json, write_json
from deepstdp.pipeline import STAGES
from deepstdp.run_dir import RunDir

BASELINE = "kmeans"
COMPARISON = "comparison.json"
SMOOTHING = 5
"""Evaluations that the smoothing of the accuracy curves averages."""


def summarise(
    runs: Mapping[str, Sequence[RunDir]],
    seeds: Sequence[int],
    out: Path,
    missing: Sequence[str] = (),
    baseline: str = BASELINE,
) -> Record:
    """Write ``comparison.json`` and return what it holds.

    ``methods``: for each variant, the paths of its runs and the mean and 95 % interval over seeds
    of every final metric. ``versus_baseline``: accuracies relative to the baseline and convergence
    at iso-accuracy, paired by seed; empty if the baseline was not run. ``missing``: the trials
    that failed, whose seeds are left out for every variant. ``environments``: the versions and
    hardware that trials ran with, and how many did.
    """
    records = {name: [_summary(run) for run in of_name] for name, of_name in runs.items()}
    methods: Record = {}
    for name, of_name in records.items():
        methods[name] = {"runs": [run.path.relative_to(out).as_posix() for run in runs[name]]}
        methods[name] |= _estimates([record["final"] for record in of_name])
        methods[name]["epochs_to_own_best"] = estimate([_epoch_of_best(r) for r in runs[name]])
        methods[name]["wall_seconds"] = estimate([r["wall_seconds"] for r in of_name])
        methods[name] |= _estimates([record["seconds"] for record in of_name])
    paths = [raw_pixels_path(out, seed) for seed in seeds]
    records[RAW_PIXELS] = [read_json(path) for path in paths]
    methods[RAW_PIXELS] = {"runs": [p.relative_to(out).as_posix() for p in paths]}
    methods[RAW_PIXELS] |= _estimates([record["final"] for record in records[RAW_PIXELS]])
    comparison = {
        "methods": methods,
        "baseline": baseline,
        "versus_baseline": _versus_baseline(runs, records, baseline),
        "seeds": list(seeds),
        "missing": list(missing),
        "smoothing": SMOOTHING,
        "environments": _environments([r for name in runs for r in records[name]]),
    }
    write_json(out / COMPARISON, comparison)
    return comparison


def _environments(records: Sequence[Record]) -> list[Record]:
    """One entry for trials of one machine; more where a comparison went on on another."""
    found: list[Record] = []
    for record in records:
        own = {key: record[key] for key in ("versions", "hardware")}
        known = next((entry for entry in found if own.items() <= entry.items()), None)
        if known is None:
            found.append(known := {**own, "n_trials": 0})
        known["n_trials"] += 1
    return found


def accuracy_curve(run: RunDir) -> Curve | None:
    """The linear probe over epochs; None if it was measured fewer than two times."""
    epochs, accuracy, seconds, total = [], [], [], 0.0
    for record in run.metrics():
        total += sum(record[f"seconds_{stage}"] for stage in STAGES if stage != "evaluation")
        if record["linear_probe_accuracy"] is not None:
            epochs.append(record["epoch"])
            accuracy.append(record["linear_probe_accuracy"])
            seconds.append(total)
    if len(epochs) < 2:
        return None
    return Curve(epochs, accuracy, seconds, _summary(run)["untrained"]["linear_probe_accuracy"])


def _epoch_of_best(run: RunDir) -> int | None:
    curve = accuracy_curve(run)
    if curve is None:
        return None
    at = first_reaching(curve.accuracy, best(curve.accuracy, SMOOTHING), SMOOTHING)
    assert at is not None
    return curve.epochs[at]


def _versus_baseline(
    runs: Mapping[str, Sequence[RunDir]], records: Mapping[str, Sequence[Record]], baseline: str
) -> Record:
    if baseline not in runs:
        return {}
    base = records[baseline]
    base_curves = [accuracy_curve(run) for run in runs[baseline]]
    result: Record = {}
    for name in records:
        if name == baseline:
            continue
        result[name] = versus(_columns(records[name]), _columns(base))
        result[name] |= _bootstrap(records[name], base)
        curves = [accuracy_curve(run) for run in runs.get(name, [])]
        known = [c for c in curves if c is not None]
        known_base = [c for c in base_curves if c is not None]
        if known and len(known) == len(known_base):
            result[name] |= iso_accuracy(known, known_base, SMOOTHING)
    return result


def _bootstrap(ours: Sequence[Record], theirs: Sequence[Record]) -> Record:
    """The ratio of linear probes over seeds and images."""
    correct = [[_correct(record) for record in records] for records in (ours, theirs)]
    sizes = {len(images) for of_one in correct for images in of_one}
    if len(sizes) > 1 or 0 in sizes:  # raw pixels are measured on 5,000 images at most
        return {}
    same_images = len({record["val_images"] for record in theirs}) == 1
    rng = np.random.default_rng(0)
    return {"bootstrap_ratio": bootstrap_ratio(correct[0], correct[1], same_images, rng)}


def _correct(record: Record) -> Correct:
    """Which validation images the linear probe got right; none of old runs."""
    found = right(record.get("correct", {}))
    return np.zeros(0, dtype=bool) if found is None else found


def _columns(records: Sequence[Record]) -> dict[str, list[float]]:
    """The final metrics that every seed has."""
    finals = [record["final"] for record in records]
    names = [name for name in finals[0] if all(f.get(name) is not None for f in finals)]
    return {name: [f[name] for f in finals] for name in names}


def _estimates(finals: Sequence[Record]) -> Record:
    return {name: estimate([f.get(name) for f in finals]) for name in finals[0]}


def _summary(run: RunDir) -> dict[str, Any]:
    summary = run.summary()
    assert summary is not None
    return summary
