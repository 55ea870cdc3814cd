"""Runs every method with every seed, each into its own run directory, and skips what is done."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch

from deepstdp.config import Config
from deepstdp.config.clustering import Method
from deepstdp.data import Dataset, load_dataset
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import measure_features
from deepstdp.features.whitening import exact_whitening
from deepstdp.files import write_json
from deepstdp.pipeline import truth_of
from deepstdp.progress import Progress
from deepstdp.run_dir import RunDir
from deepstdp.runner import run_experiment

UNTRAINED, RAW_PIXELS = "untrained", "raw-pixels"
_RAW_COMPONENTS = 256


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


def run_trials(
    config: Config, methods: Sequence[str], seeds: Sequence[int], out: Path, progress: Progress
) -> dict[str, list[RunDir]]:
    """Train every method with every seed, into ``out/<method>/seed-<seed>``.

    Rows for the untrained network and for raw pixels are always made.

    Raises:
        UserError: ``out`` holds trials of another config.
    """
    wanted = list(methods)
    if not {UNTRAINED, "none"} & set(wanted):
        wanted.append(UNTRAINED)
    trials = {name: [trial_config(config, name, seed) for seed in seeds] for name in wanted}
    for name, configs in trials.items():  # find a mismatch before hours of work, not after
        for trial in configs:
            path = trial_path(out, name, trial.seed)
            if (path / "config.yaml").exists():
                RunDir.open(path).check_config(trial)
    runs: dict[str, list[RunDir]] = {name: [] for name in wanted}
    for position, seed in enumerate(seeds):
        dataset: Dataset | None = None
        for name in wanted:
            path, trial = trial_path(out, name, seed), trials[name][position]
            if not (path / "summary.json").exists():
                dataset = dataset or load_dataset(config.data, seed, progress)
                progress.line(f"-- {name}, seed {seed}")
                # A trial that was cut short goes on from its checkpoint.
                runs[name].append(
                    run_experiment(trial, path, dataset=dataset, resume=True, progress=progress)
                )
            else:
                progress.line(f"-- {name}, seed {seed}: finished already")
                runs[name].append(RunDir.open(path))
        raw = out / RAW_PIXELS / f"seed-{seed}.json"
        if not raw.exists():
            dataset = dataset or load_dataset(config.data, seed, progress)
            raw.parent.mkdir(parents=True, exist_ok=True)
            write_json(raw, measure_raw_pixels(config, dataset))
    return runs


def trial_path(out: Path, method: str, seed: int) -> Path:
    """Where a trial's run directory is."""
    return out / method / f"seed-{seed}"


def trial_config(config: Config, method: str, seed: int) -> Config:
    """The recipe with another clusterer and seed, and nothing else changed."""
    clustering = config.clustering
    if method != "custom":
        name: Any = "none" if method == UNTRAINED else method
        clustering = replace(clustering, method=name, class_path=None, init_args={})
    return replace(config, seed=seed, clustering=clustering)


def measure_raw_pixels(config: Config, dataset: Dataset) -> dict[str, Any]:
    """Linear probe and k-NN on whitened principal components of the pixels."""
    pixels = [
        part.images.take(torch.arange(len(part))).flatten(1).float() / 255
        for part in (dataset.train, dataset.val)
    ]
    n_components = min(_RAW_COMPONENTS, pixels[0].shape[1])
    fitted = exact_whitening(pixels[0], n_components)
    train, val = ((part - fitted.mean) @ fitted.projection for part in pixels)
    measured = measure_features(train, val, truth_of(dataset), config.evaluation)
    return {"final": measured, "n_components": fitted.projection.shape[1]}
