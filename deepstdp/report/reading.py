"""What a report knows of a run: its folder, read once and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from deepstdp.comparison.summary import BASELINE
from deepstdp.config import Config
from deepstdp.config_files import dump_config
from deepstdp.deployment.run import RECORD
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import are_correct_images, right
from deepstdp.examples import Examples, load_examples
from deepstdp.files import Record, read_json
from deepstdp.run_dir import CONFIG, RunDir, on_any_machine

PROBE = "linear_probe_accuracy"
"""What tells whether a run worked."""


def find_runs(path: Path) -> list[RunDir]:
    """The run at a path; of a comparison's folder, all its runs (``<variant>/seed-<seed>``).

    Raises:
        UserError: there is neither.
    """
    if (path / CONFIG).exists():
        return [RunDir.open(path)]
    found = sorted(path.glob(f"*/seed-*/{CONFIG}"))
    if not found:
        raise UserError(
            f"{path} is no run directory and no folder of compare: it has neither {CONFIG} nor "
            f"*/seed-*/{CONFIG}"
        )
    return [RunDir.open(config.parent) for config in found]


@dataclass(frozen=True)
class RunView:
    """One run.

    Attributes:
        run: its folder.
        config: as it was resolved.
        metrics: an object an epoch.
        summary: of a finished run, else None.
    """

    run: RunDir
    config: Config
    metrics: list[Record]
    summary: Record | None

    @classmethod
    def read(cls, run: RunDir) -> "RunView":
        """Read a run, finished or not.

        Raises:
            UserError: its files are damaged.
        """
        metrics, summary = run.metrics(), run.summary()
        _check(run, metrics, summary)
        return cls(run, run.config(), metrics, summary)

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.run.path

    @property
    def method(self) -> str:
        """Where its pseudo-labels come from."""
        return self.config.clustering.class_path or self.config.clustering.method

    @property
    def learns(self) -> bool:
        """Whether it is more than the untrained network."""
        return self.method != "none"

    @property
    def final(self) -> Record:
        """The last that was measured; of an unfinished run, of its last epoch."""
        if self.summary is not None:
            return self.summary["final"]
        return self.metrics[-1] if self.metrics else {}

    @property
    def untrained(self) -> Record:
        """What was measured before the first epoch, if the run is finished."""
        return {} if self.summary is None else self.summary["untrained"]

    def right(self, trained: bool = True) -> Bool[np.ndarray, "m"] | None:
        """Which validation images the linear probe got right at the end, or before the start.

        None where there are no labels, or that was not kept.
        """
        kept = (self.summary or {}).get("correct" if trained else "correct_untrained", {})
        return right(kept)

    @cached_property
    def examples(self) -> Examples | None:
        """Images of its clusters.

        Raises:
            UserError: they are damaged, or of other classes than the run's.
        """
        examples, names = load_examples(self.run), self.class_names
        if examples is not None and names and examples.contingency.shape[1] > len(names):
            raise UserError(f"{self.path} is damaged: its examples are of other classes")
        return examples

    @cached_property
    def conversion(self) -> Record | None:
        """What ``deepstdp convert`` found, if it was called."""
        path = self.path / "spiking" / RECORD
        return read_json(path) if path.exists() else None

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, if there are labels."""
        return [] if self.summary is None else self.summary.get("class_names") or []

    def series(self, key: str) -> tuple[list[int], list[float]]:
        """The epochs at which something was measured, and what."""
        known = [(r["epoch"], r[key]) for r in self.metrics if r.get(key) is not None]
        return [epoch for epoch, _ in known], [value for _, value in known]


_SIZES = ("n_train", "n_val", "class_names")


def group_runs(views: Sequence[RunView]) -> dict[str, list[RunView]]:
    """Runs that differ in nothing but their seed and their machine, under the name of their folder.

    A seed that is there again makes another group; so do other images under the same name, as far
    as their numbers and classes tell: which of them are held out may depend on the seed.
    """
    groups: dict[str, list[RunView]] = {}
    keys: dict[tuple[str, ...], str] = {}
    for view in views:
        recipe = dump_config(replace(on_any_machine(view.config), seed=0))
        images = str([(view.summary or {}).get(name) for name in _SIZES])
        again = 0
        while (key := (recipe, images, str(again))) in keys and _has_seed(groups[keys[key]], view):
            again += 1
        if key not in keys:
            name = _name(view.path)
            taken = [n for n in groups if n == name or n.startswith(f"{name} (")]
            keys[key] = f"{name} ({len(taken) + 1})" if taken else name
            groups[keys[key]] = []
        groups[keys[key]].append(view)
    return groups


def _has_seed(views: Sequence[RunView], view: RunView) -> bool:
    return any(known.config.seed == view.config.seed for known in views)


def baseline_of(groups: Mapping[str, Sequence[RunView]]) -> str | None:
    """The group that the others are compared with: k-means afresh each epoch, as in the study."""
    if BASELINE in groups:
        return BASELINE
    return next((name for name, views in groups.items() if views[0].method == BASELINE), None)


def same_seeds(ours: Sequence[RunView], theirs: Sequence[RunView]) -> list[tuple[RunView, RunView]]:
    """Runs that have a seed in common, where the linear probe of both was measured."""
    by_seed = {view.config.seed: view for view in theirs if view.final.get(PROBE) is not None}
    return [
        (view, by_seed[view.config.seed])
        for view in ours
        if view.config.seed in by_seed and view.final.get(PROBE) is not None
    ]


def paired_by_seed(ours: Sequence[RunView], theirs: Sequence[RunView]) -> list[tuple[float, float]]:
    """The linear probes of these."""
    return [(a.final[PROBE], b.final[PROBE]) for a, b in same_seeds(ours, theirs)]


def finished(views: Sequence[RunView]) -> list[RunView]:
    """Those that have come to their end."""
    return [view for view in views if view.summary is not None]


def _name(path: Path) -> str:
    """``stdp`` of ``out/stdp/seed-0``, ``photos`` of ``runs/photos``."""
    resolved = path.resolve()
    return resolved.parent.name if resolved.name.startswith("seed-") else resolved.name


_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("final", "untrained", "hardware", "versions"), dict),
    **dict.fromkeys(("n_train", "n_val", "n_skipped"), int),
    "class_names": (list, type(None)),
    "wall_seconds": (int, float),
    "val_images": str,
}
"""What is taken from ``summary.json``."""

_CORRECT = ("correct", "correct_untrained")


def _check(run: RunDir, metrics: Sequence[Record], summary: Record | None) -> None:
    """So that no part of a report meets what it does not expect."""
    wrong = [
        name
        for name, kind in _KINDS.items()
        if summary is not None and not isinstance(summary.get(name), kind)
    ]
    measured = [
        *metrics,
        *(summary[k] for k in ("final", "untrained") if summary is not None and not wrong),
    ]
    if wrong or not all(_is_number(value) for record in measured for value in record.values()):
        what = f"summary.json has no {wrong[0]}" if wrong else "what was measured is no number"
        raise UserError(f"{run.path} is damaged: {what}")
    if not all(are_correct_images((summary or {}).get(name, {})) for name in _CORRECT):
        raise UserError(f"{run.path} is damaged: summary.json says not which images are right")
    names = (summary or {}).get("class_names") or []
    if not all(isinstance(name, str) for name in names):
        raise UserError(f"{run.path} is damaged: summary.json has class names that are none")
    if not all(isinstance(record.get("epoch"), int) for record in metrics):
        raise UserError(f"{run.path} is damaged: metrics.jsonl has lines without an epoch")


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)
