"""Runs one experiment into a run directory: data, loop, checkpoints, results."""

import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.loggers import Logger
from torch import nn

from deepstdp.checkpoint import Keeper, Position, restore_checkpoint
from deepstdp.clustering import GivenLabels
from deepstdp.config import Config
from deepstdp.data import Dataset, load_dataset
from deepstdp.data.fingerprint import digest_of, fingerprint
from deepstdp.environment import hardware, versions
from deepstdp.epoch_line import epoch_line
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import ASSIGNMENT_KEYS, Metrics
from deepstdp.examples import gather_examples, save_examples
from deepstdp.few_labels import fine_tuned_accuracies
from deepstdp.interruption import StopRequest
from deepstdp.loggers import finalised, log_epoch
from deepstdp.model import build_model
from deepstdp.pipeline import Loop
from deepstdp.processes import Group
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import CONFIG, RunDir
from deepstdp.run_lock import alone_in
from deepstdp.runtime import Runtime, launch


def run_experiment(
    config: Config,
    path: Path,
    *,
    dataset: Dataset | None = None,
    backbone: nn.Module | None = None,
    clusterer: Any = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = SILENT,
    runtime: Runtime | None = None,
    logger: Logger | None = None,
) -> RunDir:
    """Train and evaluate, leaving everything in a run directory.

    With ``config.devices`` above one, the script that calls this is started once more for each
    further device, as Fabric does; all of them must see the folder of ``path``.

    Args:
        config: the experiment.
        path: the run directory; made only when data and model are ready.
        dataset: images that are loaded already; else the config's source is read.
        backbone: a module of the user's own, in the place of the config's.
        clusterer: anything with ``fit_predict``, in the place of the config's.
        resume: continue from the last checkpoint of the run at ``path``, if there is one.
        overwrite: replace the run at ``path``.
        progress: follows the work.
        runtime: the processes of the run, if they are launched already.
        logger: one of Fabric's, or a subclass of theirs: gets settings and metrics too.

    Raises:
        UserError: something that the user gave cannot be used.
    """
    started = time.perf_counter()
    config = _named(config, backbone, clusterer)
    runtime = runtime or launch(config)
    group = runtime.group
    with ExitStack() as stack:
        resumed = group.first(lambda: _earlier(path, config, resume, overwrite, stack))
        if resumed is not None and group.first(lambda: resumed.summary() is not None):
            progress.line(f"{path} is finished already")
            return resumed
        if dataset is None:
            dataset = group.each(lambda: load_dataset(config.data, config.seed, progress))
        known_by = _images_alike(dataset, group)
        group.each(lambda: check_sizes(config, dataset, group.size))
        images = dataset.train.images
        if config.clustering.method == "supervised":
            clusterer = group.each(lambda: _given_labels(config, dataset))
        model = build_model(config, images, progress, backbone, clusterer, runtime)
        run = resumed or group.first(lambda: _new(path, config, overwrite, stack))
        try:
            stop = stack.enter_context(StopRequest())
            loop = Loop(config, dataset, model, progress, run.path)
            with finalised(logger if group.is_first else None) as told:
                _run(run, loop, dataset, known_by, stop, started, progress, told)
        except UserError as error:
            raise _with_hint(error, run, group, is_new=resumed is None) from None
    return run


def new_run_dir(config: Config) -> Path:
    """A folder for a run that was given none: ``runs/<source>-<method>-<time>``."""
    source = Path(config.data.source).stem.replace(" ", "-")
    method = config.clustering.class_path or config.clustering.method
    return Path("runs") / f"{source}-{method}-{datetime.now():%Y%m%d-%H%M%S}"


def _with_hint(error: UserError, run: RunDir, group: Group, is_new: bool) -> UserError:
    """The error, and where the run stands; one that fails at its start leaves nothing behind."""
    checkpoints = run.checkpoints() if run.path.exists() else []
    if checkpoints:
        said = type(error)(f"{error}; the last good checkpoint is {checkpoints[0]}")
        said.is_shared = error.is_shared
        return said
    if group.is_first and is_new and not run.metrics():
        run.discard()
    return error


def _given_labels(config: Config, dataset: Dataset) -> GivenLabels:
    if dataset.train.labels is None:
        raise UserError("clustering.method supervised needs labelled images")
    return GivenLabels(dataset.train.labels, config.clustering.n_clusters)


def _new(path: Path, config: Config, overwrite: bool, stack: ExitStack) -> RunDir:
    """A new run at ``path``, kept from others until ``stack`` ends."""
    RunDir.prepare(path, overwrite)
    stack.enter_context(alone_in(path))
    return RunDir.create(path, config, overwrite)


def _earlier(
    path: Path, config: Config, resume: bool, overwrite: bool, stack: ExitStack
) -> RunDir | None:
    """The run at ``path`` that is to be resumed, kept from others until ``stack`` ends.

    None if a new one may be written there.
    """
    if not resume or not (path / CONFIG).exists():
        RunDir.check_new(path, overwrite)
        return None
    run = RunDir.open(path, trust_code=True)  # its config is to be that of the caller
    stack.enter_context(alone_in(path))
    run.check_config(config)
    return run


def _named(config: Config, backbone: nn.Module | None, clusterer: Any) -> Config:
    """The config with the classes of objects that were given in the place of its own."""
    if backbone is not None:
        part = replace(config.backbone, class_path=_class_path(backbone), init_args={})
        config = replace(config, backbone=part)
    if clusterer is not None:
        clustering = replace(config.clustering, class_path=_class_path(clusterer), init_args={})
        config = replace(config, clustering=clustering)
    return config


def _class_path(instance: Any) -> str:
    return f"{type(instance).__module__}.{type(instance).__qualname__}"


def _run(
    run: RunDir,
    loop: Loop,
    dataset: Dataset,
    known_by: str,
    stop: StopRequest,
    started: float,
    progress: Progress,
    logger: Logger | None,
) -> None:
    """Train from where the run stands, and write its results."""
    group = loop.model.runtime.group
    position = restore_checkpoint(run, loop, known_by, progress)
    done = (position.epoch, position.begun.step)
    if done == (0, 0) and group.is_first and run.metrics():
        progress.line(f"no checkpoint in {run.path}: starting from the first epoch")
    group.first(lambda: run.keep_metrics_until(position.epoch))
    keeper = Keeper(run, loop, position, stop, started)
    if logger is not None:
        logger.log_hyperparams(asdict(loop.config))
    if done == (0, 0):
        position.untrained = loop.measure(0)
        position.untrained_correct = loop.correct_images()
        log_epoch(logger, position.untrained, 0)
    for epoch in range(position.epoch + 1, loop.n_epochs + 1):
        metrics = loop.learn(epoch, position.begun, keeper.after_step) | loop.measure(epoch)
        seconds = loop.clock.lap()
        group.first(partial(run.append_metrics, {**metrics, **seconds}))
        log_epoch(logger, {**metrics, **seconds}, epoch)
        progress.line(epoch_line(metrics, loop.n_epochs, sum(seconds.values())))
        keeper.after_epoch(epoch, seconds)
    _finish(run, loop, position, dataset, keeper, progress)


def _images_alike(dataset: Dataset, group: Group) -> str:
    """The images' fingerprint, the same on all processes: rows are counted alike on all of them.

    Raises:
        UserError: it is not.
    """
    own = group.each(lambda: fingerprint(dataset))
    first = group.first(lambda: own)
    if int(group.sum(torch.tensor(int(own != first)))) > 0:
        raise UserError("the processes of the run do not see the same images: check data.source")
    return own


def check_sizes(config: Config, dataset: Dataset, n_processes: int = 1) -> None:
    """Check that there are enough images for the clusters and for the processes.

    Raises:
        UserError: there are not.
    """
    held, size = config.reduction.max_samples, config.training.batch_size
    fewest = min(len(dataset.train), len(dataset.val), size, held)
    if n_processes > fewest:
        raise UserError(
            f"{n_processes} processes are too many for {len(dataset.train)} training and "
            f"{len(dataset.val)} validation images, batches of {size} and {held} held images: "
            "each needs one at least"
        )
    n, k = len(dataset.train), config.clustering.n_clusters
    if k > n and config.clustering.method != "none":
        raise UserError(
            f"clustering.n_clusters is {k}, but there are only {n} training images: "
            f"give at most {n}"
        )


def _finish(
    run: RunDir,
    loop: Loop,
    position: Position,
    dataset: Dataset,
    keeper: Keeper,
    progress: Progress,
) -> None:
    """Assign once more with the final network, and write weights, labels, examples, summary."""
    group = loop.model.runtime.group
    metrics = loop.measure(loop.n_epochs) if loop.n_epochs > 0 else position.untrained
    if loop.n_epochs > 0:
        metrics = loop.reassign(measured=True) | metrics
    with loop.clock("evaluation"):
        metrics = metrics | fine_tuned_accuracies(loop.model, dataset, loop.config, progress)
    seconds = keeper.wall_seconds()
    group.first(lambda: _write_results(run, loop, position, dataset, seconds, metrics))


def _write_results(
    run: RunDir,
    loop: Loop,
    position: Position,
    dataset: Dataset,
    wall_seconds: float,
    metrics: Metrics,
) -> None:
    config = loop.config
    if loop.n_epochs == 0:
        nothing: Metrics = {"epoch": 0, "loss": None, **dict.fromkeys(ASSIGNMENT_KEYS)}
        run.append_metrics({**nothing, **metrics, **loop.clock.lap()})
    loop.model.save(run, dataset.train.images.shape)
    if loop.assignment is not None:
        labels = loop.assignment.labels.cpu().numpy()
        run.write_labels(dataset.train.names, labels)
        shown = gather_examples(loop.model, dataset.train, loop.assignment, config.seed)
        save_examples(run, shown)
    for name, value in loop.clock.lap().items():
        position.seconds[name] += value
    summary: dict[str, Any] = {
        "method": config.clustering.class_path or config.clustering.method,
        "seed": config.seed,
        "epochs": loop.n_epochs,
        "final": metrics,
        "untrained": position.untrained,
        "correct": loop.correct_images(),
        "correct_untrained": position.untrained_correct,
        "val_images": digest_of(loop.measured_images()),
        "n_train": len(dataset.train),
        "n_val": len(dataset.val),
        "class_names": dataset.class_names,
        "n_skipped": len(dataset.skipped),
        "skipped": dataset.skipped,
        "seconds": position.seconds,
        "wall_seconds": round(wall_seconds, 3),
        "versions": versions(),
        "hardware": hardware(loop.model.device) | {"n_processes": loop.model.runtime.group.size},
    }
    run.write_summary(summary)
    run.drop_checkpoints()
