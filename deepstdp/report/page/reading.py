"""What the page knows of a run: its folder, read once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from deepstdp.config import Config
from deepstdp.config_files import dump_config
from deepstdp.deployment.run import RECORD
from deepstdp.examples import Examples, load_examples
from deepstdp.files import Record, read_json
from deepstdp.run_dir import RunDir


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
        return cls(run, run.config(), run.metrics(), run.summary())

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

    @cached_property
    def examples(self) -> Examples | None:
        """Images of its clusters."""
        return load_examples(self.run)

    @cached_property
    def conversion(self) -> Record | None:
        """What ``deepstdp convert`` found, if it was called."""
        path = self.path / "spiking" / RECORD
        return read_json(path) if path.exists() else None

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, if there are labels."""
        return [] if self.summary is None else self.summary["class_names"] or []

    def series(self, key: str) -> tuple[list[int], list[float]]:
        """The epochs at which something was measured, and what."""
        known = [(r["epoch"], r[key]) for r in self.metrics if r.get(key) is not None]
        return [epoch for epoch, _ in known], [value for _, value in known]


def group_runs(views: Sequence[RunView]) -> dict[str, list[RunView]]:
    """Runs that differ in nothing but their seed, under the name of their folder."""
    groups: dict[str, list[RunView]] = {}
    keys: dict[str, str] = {}
    for view in views:
        key = dump_config(replace(view.config, seed=0))
        if key not in keys:
            name = _name(view.path)
            taken = [n for n in groups if n == name or n.startswith(f"{name} (")]
            keys[key] = f"{name} ({len(taken) + 1})" if taken else name
            groups[keys[key]] = []
        groups[keys[key]].append(view)
    return groups


def _name(path: Path) -> str:
    """``stdp`` of ``out/stdp/seed-0``, ``photos`` of ``runs/photos``."""
    resolved = path.resolve()
    return resolved.parent.name if resolved.name.startswith("seed-") else resolved.name
