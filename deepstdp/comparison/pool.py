"""Runs trials as they come, some at once; what dies is tried again, what fails is reported."""

from concurrent.futures import Executor as Pool
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from deepstdp.comparison.executors import DatasetOfSeed, Executor, Processes, ThisProcess
from deepstdp.comparison.ray_executor import RayCluster
from deepstdp.comparison.trials import Trial, TrialDied
from deepstdp.config import Config
from deepstdp.config.checks import require
from deepstdp.errors import UserError
from deepstdp.interruption import Interrupted
from deepstdp.progress import Progress
from deepstdp.tables import duration


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


class TrialPool:
    """Runs trials, ``execution.workers`` at once; a context that ends with all of them stopped.

    Args:
        execution: where, how many at once, how often again.
        config: of any trial, for the accelerator.
        datasets: the images, for trials in this process.
        progress: says how trials start and end.
    """

    def __init__(
        self, execution: Execution, config: Config, datasets: DatasetOfSeed, progress: Progress
    ) -> None:
        self._execution, self._progress = execution, progress
        self._executor = _make_executor(execution, config, datasets, progress)
        n = execution.workers
        self._pool: Pool = ThreadPoolExecutor(n) if n > 1 else _AtOnce()

    def submit(self, trial: Trial) -> "Future[Failure | None]":
        """Run a trial unless it is finished; the future says whether it failed."""
        return self._pool.submit(
            _attempt, trial, self._executor, self._execution.retries, self._progress
        )

    def __enter__(self) -> "TrialPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._executor.stop()
        self._pool.shutdown()
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("stopped: the same command goes on") from None


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
    return f"{probe}, {duration(summary['wall_seconds'])}"
