"""Which trials a comparison has: every method with every seed, each in its own run directory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from deepstdp.config import Config
from deepstdp.config.clustering import Method
from deepstdp.data import Dataset
from deepstdp.errors import UserError
from deepstdp.files import Record
from deepstdp.model import build_model
from deepstdp.run_dir import RunDir
from deepstdp.runner import check_sizes
from deepstdp.runtime import one_process

UNTRAINED = "untrained"


@dataclass(frozen=True)
class Trial:
    """One method with one seed.

    Attributes:
        method: as ``--methods`` names it.
        config: of this trial alone.
        path: its run directory, ``OUT/<method>/seed-<seed>``.
    """

    method: str
    config: Config
    path: Path

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.method}, seed {self.config.seed}"

    @property
    def key(self) -> str:
        """For files: the run directory below ``OUT``."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def log(self) -> Path:
        """What the trial says where nobody watches, and how it died."""
        return self.path.with_name(self.path.name + ".log")

    def summary(self) -> Record | None:
        """What a finished trial measured, else None."""
        return RunDir(self.path).summary()


class TrialDied(Exception):
    """A trial ended without a result, for a reason that may not hold the next time."""


def parse_methods(text: str) -> list[str]:
    """Method names from ``a,b,c``; ``untrained`` is another name of ``none``.

    Raises:
        UserError: an unknown name, or one given twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [*get_args(Method), UNTRAINED]
    for name in names:
        if name not in known:
            raise UserError(f"--methods: there is no method '{name}', only {', '.join(known)}")
    if len(set(names)) < len(names) or not names:
        raise UserError("--methods: name each method once, e.g. stdp,kmeans,untrained")
    return names


def plan_trials(
    config: Config, methods: Sequence[str], seeds: Sequence[int], out: Path
) -> list[Trial]:
    """Every trial, seed by seed; the untrained network is always among the methods.

    Raises:
        UserError: ``out`` holds trials of another config, or trials are to have many devices.
    """
    if config.devices != 1 or config.num_nodes != 1:
        raise UserError("compare gives each trial one device: leave --devices out, give --workers")
    wanted = list(methods)
    if not {UNTRAINED, "none"} & set(wanted):
        wanted.append(UNTRAINED)
    trials = [
        Trial(name, trial_config(config, name, seed), out / name / f"seed-{seed}")
        for seed in seeds
        for name in wanted
    ]
    for trial in trials:  # find a mismatch before hours of work, not after
        if (trial.path / "config.yaml").exists():
            RunDir.open(trial.path).check_config(trial.config)
    return trials


def trial_config(config: Config, method: str, seed: int) -> Config:
    """The recipe with another clusterer and seed, and nothing else changed."""
    clustering = config.clustering
    if method != "custom":
        name: Any = "none" if method == UNTRAINED else method
        clustering = replace(clustering, method=name, class_path=None, init_args={})
    return replace(config, seed=seed, clustering=clustering)


def check_trials(trials: Sequence[Trial], dataset: Dataset, here: bool) -> None:
    """Find what would stop every trial of a method, without training.

    Args:
        trials: those still to run.
        dataset: the images of one seed.
        here: the trials run on this machine, so that it must have their device.

    Raises:
        UserError: the config, the images and this machine do not go together.
    """
    for trial in {trial.method: trial for trial in trials}.values():
        config = trial.config
        if here:
            one_process(config.accelerator)
        check_sizes(config, dataset)
        # Not on the GPU, whose memory belongs to the trials.
        plain = replace(config, accelerator="cpu", compile=False)
        build_model(plain, dataset.train.images, runtime=one_process("cpu"))
