"""Which trials a comparison has: every variant with every seed, each in its own run directory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from deepstdp.config import Config
from deepstdp.config.clustering import Method
from deepstdp.data import Dataset
from deepstdp.errors import UserError
from deepstdp.files import Record
from deepstdp.model import build_model
from deepstdp.run_dir import CONFIG, RunDir
from deepstdp.runner import check_sizes
from deepstdp.runtime import one_process

UNTRAINED = "untrained"


@dataclass(frozen=True)
class Trial:
    """One variant of the recipe with one seed.

    Attributes:
        variant: its name; of ``compare``, the method.
        config: of this trial alone.
        path: its run directory, ``OUT/<variant>/seed-<seed>``.
    """

    variant: str
    config: Config
    path: Path

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.variant}, seed {self.config.seed}"

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


class TrialStopped(Exception):
    """A trial did not finish because all were told to stop."""


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


def method_variants(config: Config, methods: Sequence[str]) -> dict[str, Config]:
    """The recipe with each of the clusterers, and nothing else changed."""
    variants = {}
    for method in methods:
        clustering = config.clustering
        if method != "custom":
            name: Any = "none" if method == UNTRAINED else method
            clustering = replace(clustering, method=name, class_path=None, init_args={})
        variants[method] = replace(config, clustering=clustering)
    return variants


def plan_trials(variants: Mapping[str, Config], seeds: Sequence[int], out: Path) -> list[Trial]:
    """Every trial, seed by seed; the untrained network is always among the variants.

    Raises:
        UserError: ``out`` holds trials of another config, variants differ in their images, or
            trials are to have many devices.
    """
    if any(config.devices != 1 or config.num_nodes != 1 for config in variants.values()):
        raise UserError("each trial gets one device: leave --devices out, give --workers")
    first = next(iter(variants.values()))
    if any(config.data != first.data for config in variants.values()):
        raise UserError("all variants need the same images: data.* cannot differ between them")
    wanted = dict(variants)
    if all(config.clustering.method != "none" for config in wanted.values()):
        wanted |= method_variants(first, [UNTRAINED])
    trials = [
        Trial(name, replace(config, seed=seed), out / name / f"seed-{seed}")
        for seed in seeds
        for name, config in wanted.items()
    ]
    check_unchanged(trials)
    return trials


def check_unchanged(trials: Sequence[Trial]) -> None:
    """Find a mismatch with what is there before hours of work, not after.

    Raises:
        UserError: a run directory holds a run of another config.
    """
    for trial in trials:
        if (trial.path / CONFIG).exists():
            RunDir.open(trial.path).check_config(trial.config)


def check_trials(trials: Sequence[Trial], dataset: Dataset, here: bool) -> None:
    """Find what would stop every trial of a variant, without training.

    Args:
        trials: those still to run.
        dataset: the images of one seed.
        here: the trials run on this machine, so that it must have their device.

    Raises:
        UserError: the config, the images and this machine do not go together.
    """
    for trial in {trial.variant: trial for trial in trials}.values():
        config = trial.config
        if here:
            one_process(config.accelerator)
        check_sizes(config, dataset)
        # Not on the GPU, whose memory belongs to the trials.
        plain = replace(config, accelerator="cpu", compile=False)
        build_model(plain, dataset.train.images, runtime=one_process("cpu"))
