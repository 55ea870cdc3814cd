"""``<study>.json``: everything that a study measured, enough to draw and count it anew."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np

from deepstdp.comparison.statistics import Estimate, estimate, paired_ratio
from deepstdp.comparison.summary import summarise
from deepstdp.comparison.sweep import Sweep
from deepstdp.errors import UserError
from deepstdp.files import Record, read_json, write_json
from deepstdp.pipeline import STAGES
from deepstdp.run_dir import RunDir
from deepstdp.study.spec import NAME, Study

CURVES = (
    "epoch",
    "loss",
    "linear_probe_accuracy",
    "knn_accuracy",
    "nmi_labels",
    "nmi_previous",
    "assignment_stability",
    "cluster_entropy",
    "n_empty_clusters",
    "retest_agreement",
)
_DIGITS = 5


def collect(
    study: Study, sweeps: Mapping[str, Sweep], tuning: Record | None, command: str, out: Path
) -> Record:
    """Write ``<study>.json`` and return what it holds.

    Args:
        study: what was asked.
        sweeps: the trials of each subset, which lie in ``out/<subset>``.
        tuning: what ``tune`` found, if there was anything to tune.
        command: that made it.
        out: folder of the study.
    """
    subsets = {name: _subset(study, name, sweep, out) for name, sweep in sweeps.items()}
    record = {
        "name": study.name,
        "title": study.title,
        "command": command,
        "date": date.today().isoformat(),
        "baseline": study.baseline,
        "panels": study.panels or {"": list(study.variants)},
        "settings": {name: study.settings_of(name) for name in study.variants},
        "recipe": asdict(study.config(study.baseline)),
        "tuning": tuning,
        "subsets": subsets,
        "over_subsets": over_subsets(subsets),
    }
    write_json(out / f"{study.name}.json", record)
    return record


def _subset(study: Study, name: str, sweep: Sweep, out: Path) -> Record:
    missing = [failure.trial.key for failure in sweep.failures]
    comparison = summarise(sweep.runs, sweep.seeds, out / name, missing, study.baseline)
    trials = {variant: [_trial(run) for run in runs] for variant, runs in sweep.runs.items()}
    return {"classes": study.subsets[name], "comparison": comparison, "trials": trials}


def _trial(run: RunDir) -> Record:
    """One trial's numbers, without what the study says for all of them."""
    summary, metrics = run.summary(), run.metrics()
    assert summary is not None
    curves = {key: [_rounded(epoch.get(key)) for epoch in metrics] for key in CURVES}
    curves["seconds"] = [
        _rounded(sum(epoch[f"seconds_{stage}"] for stage in STAGES if stage != "evaluation"))
        for epoch in metrics
    ]
    kept = ("seed", "final", "untrained", "correct", "val_images", "seconds", "wall_seconds")
    return {key: summary[key] for key in kept} | {"curves": curves}


def _rounded(value: float | None) -> float | None:
    return round(value, _DIGITS) if isinstance(value, float) else value


def over_subsets(subsets: Mapping[str, Record]) -> Record:
    """Ratios and differences of the linear probe with the subset of classes as the unit.

    For each variant: the geometric mean over subsets of its ratio to the baseline, and the mean
    difference to the untrained network, each with a t-interval over subsets; and the subsets in
    which it ends below the untrained network. Empty for fewer than two subsets.
    """
    if len(subsets) < 2:
        return {}
    tables = {name: _means(subset["comparison"]) for name, subset in subsets.items()}
    first = next(iter(subsets.values()))["comparison"]
    variants = set.intersection(*(set(table) for table in tables.values()))
    result: Record = {}
    for variant in (name for name in first["methods"] if name in variants):
        means = [table[variant] for table in tables.values()]
        bases = [table[first["baseline"]] for table in tables.values()]
        below = [n for n, table in tables.items() if table[variant] < table["untrained"]]
        result[variant] = {
            "ratio": paired_ratio(means, bases),
            "points_to_untrained": _points(list(tables.values()), variant),
            "below_untrained": below,
        }
    return result


def _points(tables: Sequence[Mapping[str, float]], variant: str) -> Estimate:
    return estimate([100 * (table[variant] - table["untrained"]) for table in tables])


def _means(comparison: Record) -> dict[str, float]:
    """The mean linear probe of every variant that has one."""
    methods = comparison["methods"]
    probes = {name: method.get("linear_probe_accuracy") for name, method in methods.items()}
    return {name: p["mean"] for name, p in probes.items() if p and np.isfinite(p["mean"] or np.nan)}


def read_results(path: Path) -> Record:
    """Read what ``collect`` wrote.

    Raises:
        UserError: the file cannot be read, or is something else.
    """
    record = read_json(path)
    kinds = {"name": str, "title": str, "subsets": dict, "panels": dict, "over_subsets": dict}
    if not all(isinstance(record.get(key), kind) for key, kind in kinds.items()):
        raise UserError(f"{path} holds no results of a study")
    for name in (record["name"], *record["subsets"]):
        if not NAME.fullmatch(name):  # it becomes the name of a file
            raise UserError(f"{path}: {name} is no name of a study or a subset")
    return record
