"""Runs all trials of a comparison: what dies is tried again, what fails is reported."""

from collections.abc import Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deepstdp.comparison.executors import DatasetOfSeed, Executor, Processes, ThisProcess
from deepstdp.comparison.raw_pixels import measure_raw_pixels, raw_pixels_path
from deepstdp.comparison.ray_executor import RayCluster
from deepstdp.comparison.trials import Trial, TrialDied, check_trials, plan_trials
from deepstdp.config import Config
from deepstdp.config.checks import require
from deepstdp.errors import UserError
from deepstdp.files import write_json
from deepstdp.progress import Progress
from deepstdp.run_dir import RunDir


@dataclass(frozen=True)
class Execution:
    """How the trials of a comparison are run.

    Args:
        workers: trials that run at once; above 1 each has a process of its own, and its share of
            the cores.
        executor: where: on this machine (local), or on the Ray cluster (ray) that RAY_ADDRESS
            names or that runs here, whose nodes must see the current folder, the images and
            ``out`` under the same paths.
        retries: how often a trial that died is tried again, from its checkpoint.
    """

    workers: int = 1
    executor: Literal["local", "ray"] = "local"
    retries: int = 1

    def __post_init__(self) -> None:
        require(self.workers >= 1, f"--workers must be at least 1, not {self.workers}")
        require(self.retries >= 0, f"--retries must not be negative, not {self.retries}")


@dataclass(frozen=True)
class Failure:
    """A trial that did not finish.

    Attributes:
        trial: which.
        reason: one line.
        n_attempts: how often it was tried.
    """

    trial: Trial
    reason: str
    n_attempts: int

    def __str__(self) -> str:
        return f"{self.trial.name}: {self.reason}"


@dataclass(frozen=True)
class Sweep:
    """What came of the trials.

    Attributes:
        runs: by method, the runs of ``seeds`` in their order.
        seeds: those that every method finished.
        failures: the trials that did not finish.
    """

    runs: dict[str, list[RunDir]]
    seeds: list[int]
    failures: list[Failure]


def run_trials(
    config: Config,
    methods: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    execution: Execution,
    progress: Progress,
) -> Sweep:
    """Train every method with every seed, into ``out/<method>/seed-<seed>``, but for what is done.

    Rows for the untrained network and for raw pixels are always made. ``out/failures.json``
    names the trials that failed, if there are any; the next call runs them again.

    Args:
        config: the recipe.
        methods: clusterers.
        seeds: the same for all methods, so that they can be compared in pairs.
        out: folder for everything.
        execution: where, how many at once, how often again.
        progress: follows the work; of trials in other processes it says how they start and end.

    Raises:
        UserError: something that concerns all trials: ``out`` holds trials of another config,
            the images cannot be read or do not suit the config, there is no Ray.
    """
    trials = plan_trials(config, methods, seeds, out)
    datasets = DatasetOfSeed(config.data, progress)
    pending = [trial for trial in trials if trial.summary() is None]
    if pending:
        first = datasets(pending[0].config.seed)
        check_trials(pending, first, here=execution.executor == "local")
    else:  # no cluster for nothing
        execution = Execution()
    executor = _make_executor(execution, config, datasets, progress)
    pool = ThreadPoolExecutor(execution.workers) if execution.workers > 1 else _AtOnce()
    futures: list[Future[Failure | None]] = []
    try:
        for seed in seeds:
            of_seed = [trial for trial in trials if trial.config.seed == seed]
            futures += [
                pool.submit(_attempt, trial, executor, execution.retries, progress)
                for trial in of_seed
            ]
            # Here, while workers are busy; after the trials if they ran here.
            raw = raw_pixels_path(out, seed)
            if not raw.exists():
                raw.parent.mkdir(parents=True, exist_ok=True)
                write_json(raw, measure_raw_pixels(config, datasets(seed)))
        failures = [failure for future in futures if (failure := future.result()) is not None]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        executor.stop()
        pool.shutdown()
    _write_failures(out, failures)
    return _paired(trials, failures)


def _make_executor(
    execution: Execution, config: Config, datasets: DatasetOfSeed, progress: Progress
) -> Executor:
    if execution.executor == "ray":
        return RayCluster(execution.workers, config.accelerator, progress)
    if execution.workers > 1:
        return Processes(execution.workers, config.accelerator)
    return ThisProcess(datasets, progress)


class _AtOnce(Pool):
    """A pool of no threads: a call is made when it is submitted, with its exceptions."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def _attempt(trial: Trial, executor: Executor, retries: int, progress: Progress) -> Failure | None:
    """Run a trial until it is finished or there is no use in trying again."""
    if trial.summary() is not None:
        progress.line(f"-- {trial.name}: finished already")
        return None
    attempts, reason = 0, ""
    while attempts <= retries:
        attempts += 1
        progress.line(f"-- {trial.name}: {'started' if attempts == 1 else 'started again'}")
        try:
            executor.run(trial)
        except UserError as error:  # it would be the same again
            reason = str(error)
            break
        except TrialDied as error:
            reason = str(error)
            if attempts <= retries:
                progress.line(f"-- {trial.name}: died: {reason}")
        else:
            progress.line(f"-- {trial.name}: finished{_results(trial)}")
            return None
    progress.line(f"-- {trial.name}: failed: {reason}")
    return Failure(trial, reason, attempts)


def _results(trial: Trial) -> str:
    summary = trial.summary()
    assert summary is not None
    accuracy = summary["final"].get("linear_probe_accuracy")
    probe = "" if accuracy is None else f", linear probe {accuracy:.1%}"
    return f"{probe}, {summary['wall_seconds']:.0f} s"


def _write_failures(out: Path, failures: Sequence[Failure]) -> None:
    path = out / "failures.json"
    if failures:
        record = {f.trial.key: {"reason": f.reason, "attempts": f.n_attempts} for f in failures}
        write_json(path, record)
    else:
        path.unlink(missing_ok=True)


def _paired(trials: Sequence[Trial], failures: list[Failure]) -> Sweep:
    """Leave out the seeds that a method did not finish."""
    incomplete = {failure.trial.config.seed for failure in failures}
    whole = [trial for trial in trials if trial.config.seed not in incomplete]
    runs: dict[str, list[RunDir]] = {}
    for trial in whole:
        runs.setdefault(trial.method, []).append(RunDir.open(trial.path))
    return Sweep(runs, sorted({trial.config.seed for trial in whole}), failures)
