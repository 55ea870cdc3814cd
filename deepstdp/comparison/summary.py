"""``comparison.json``: what the trials of a comparison show."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepstdp.comparison.raw_pixels import RAW_PIXELS, raw_pixels_path
from deepstdp.comparison.statistics import Curve, estimate, iso_accuracy, versus
from deepstdp.evaluation.convergence import best, first_reaching
from deepstdp.files import Record, write_json
from deepstdp.pipeline import STAGES
from deepstdp.run_dir import RunDir

BASELINE = "kmeans"
SMOOTHING = 5
"""Evaluations that the smoothing of the accuracy curves averages."""


def summarise(
    runs: Mapping[str, Sequence[RunDir]],
    seeds: Sequence[int],
    out: Path,
    missing: Sequence[str] = (),
) -> Record:
    """Write ``comparison.json`` and return what it holds.

    ``methods``: for each, the paths of its runs and the mean and 95 % interval over seeds of
    every final metric. ``versus_kmeans``: accuracies relative to k-means and convergence at
    iso-accuracy, paired by seed; empty if k-means was not run. ``missing``: the trials that
    failed, whose seeds are left out for every method.
    """
    summaries = {name: [_summary(run) for run in of_name] for name, of_name in runs.items()}
    methods: Record = {}
    for name, records in summaries.items():
        finals = [record["final"] for record in records]
        methods[name] = {"runs": [run.path.relative_to(out).as_posix() for run in runs[name]]}
        methods[name] |= _estimates(finals)
        methods[name]["epochs_to_own_best"] = estimate([_epoch_of_best(r) for r in runs[name]])
        methods[name]["wall_seconds"] = estimate([r["wall_seconds"] for r in records])
        methods[name] |= _estimates([record["seconds"] for record in records])
    paths = [raw_pixels_path(out, seed) for seed in seeds]
    raw = [json.loads(path.read_text(encoding="utf-8"))["final"] for path in paths]
    methods[RAW_PIXELS] = {"runs": [p.relative_to(out).as_posix() for p in paths]} | _estimates(raw)
    comparison = {
        "methods": methods,
        "versus_kmeans": _versus_baseline(runs, summaries, raw),
        "seeds": list(seeds),
        "missing": list(missing),
        "smoothing": SMOOTHING,
        "versions": next(iter(summaries.values()))[0]["versions"],
        "hardware": next(iter(summaries.values()))[0]["hardware"],
    }
    write_json(out / "comparison.json", comparison)
    return comparison


def accuracy_curve(run: RunDir) -> Curve | None:
    """The linear probe over epochs; None if it was measured fewer than two times."""
    epochs, accuracy, seconds, total = [], [], [], 0.0
    for record in run.metrics():
        total += sum(record[f"seconds_{stage}"] for stage in STAGES if stage != "evaluation")
        if record["linear_probe_accuracy"] is not None:
            epochs.append(record["epoch"])
            accuracy.append(record["linear_probe_accuracy"])
            seconds.append(total)
    return Curve(epochs, accuracy, seconds) if len(epochs) > 1 else None


def _epoch_of_best(run: RunDir) -> int | None:
    curve = accuracy_curve(run)
    if curve is None:
        return None
    at = first_reaching(curve.accuracy, best(curve.accuracy, SMOOTHING), SMOOTHING)
    assert at is not None
    return curve.epochs[at]


def _versus_baseline(
    runs: Mapping[str, Sequence[RunDir]],
    summaries: Mapping[str, Sequence[Record]],
    raw: Sequence[Record],
) -> Record:
    if BASELINE not in runs:
        return {}
    finals = {name: [r["final"] for r in records] for name, records in summaries.items()}
    finals[RAW_PIXELS] = list(raw)
    base_curves = [accuracy_curve(run) for run in runs[BASELINE]]
    result: Record = {}
    for name in finals:
        if name == BASELINE:
            continue
        result[name] = versus(_columns(finals[name]), _columns(finals[BASELINE]))
        curves = [accuracy_curve(run) for run in runs.get(name, [])]
        known = [c for c in curves if c is not None]
        known_base = [c for c in base_curves if c is not None]
        if known and len(known) == len(known_base):
            result[name] |= iso_accuracy(known, known_base, SMOOTHING)
    return result


def _columns(finals: Sequence[Record]) -> dict[str, list[float]]:
    """The metrics that every seed has."""
    names = [name for name in finals[0] if all(f.get(name) is not None for f in finals)]
    return {name: [f[name] for f in finals] for name in names}


def _estimates(finals: Sequence[Record]) -> Record:
    return {name: estimate([f.get(name) for f in finals]) for name in finals[0]}


def _summary(run: RunDir) -> dict[str, Any]:
    summary = run.summary()
    assert summary is not None
    return summary
