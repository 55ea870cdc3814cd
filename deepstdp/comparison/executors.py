"""Where trials run: in this process, in processes beside it, or on a cluster (``ray_executor``)."""

import os
import queue
import threading
import time
import traceback
from abc import ABC, abstractmethod
from pathlib import Path

import torch

from deepstdp.comparison.processes import SECONDS_TO_STOP, Worker, thread_settings
from deepstdp.comparison.trials import Trial, TrialDied, TrialStopped
from deepstdp.config import DataConfig
from deepstdp.data import Dataset, load_dataset
from deepstdp.errors import UserError
from deepstdp.processes import usable_cpus
from deepstdp.progress import Progress
from deepstdp.runner import run_experiment


class Executor(ABC):
    """Runs one trial at a call; calls may come from several threads at once."""

    @abstractmethod
    def run(self, trial: Trial) -> None:
        """Run a trial, from its checkpoint if there is one, until its run directory is finished.

        Raises:
            UserError: the trial cannot be run; it would not fare better the next time.
            TrialDied: it ended for any other reason.
            TrialStopped: ``stop`` was called.
        """

    @abstractmethod
    def stop(self) -> None:
        """End all trials that run elsewhere; ``run`` raises ``TrialStopped`` from now on."""


class DatasetOfSeed:
    """The images, loaded once a seed; the last seed's are kept."""

    def __init__(self, config: DataConfig, progress: Progress) -> None:
        self._config, self._progress = config, progress
        self._seed: int | None = None
        self._dataset: Dataset | None = None

    def __call__(self, seed: int) -> Dataset:
        """The images of a seed.

        Raises:
            UserError: see ``load_dataset``.
        """
        if self._dataset is None or self._seed != seed:
            self._dataset = None  # before the next one takes memory
            self._dataset = load_dataset(self._config, seed, self._progress)
            self._seed = seed
        return self._dataset


class ThisProcess(Executor):
    """One trial after the other in this process, with progress; a crash of one ends them all.

    Args:
        datasets: the images.
        progress: follows the work.
    """

    def __init__(self, datasets: DatasetOfSeed, progress: Progress) -> None:
        self._datasets, self._progress = datasets, progress

    def run(self, trial: Trial) -> None:
        """See ``Executor``."""
        try:
            dataset = self._datasets(trial.config.seed)
            run_experiment(
                trial.config, trial.path, dataset=dataset, resume=True, progress=self._progress
            )
        except UserError:
            raise
        except Exception as error:
            trial.log.parent.mkdir(parents=True, exist_ok=True)
            with trial.log.open("a", encoding="utf-8") as log:
                traceback.print_exc(file=log)
            last = traceback.format_exception_only(error)[-1].strip()
            raise TrialDied(f"{last} (see {trial.log})") from error

    def stop(self) -> None:
        """See ``Executor``: nothing runs elsewhere."""


class Processes(Executor):
    """A process for each trial on this machine; cores are divided, GPUs go round.

    Args:
        n_workers: how many run at once.
        accelerator: of the config.
    """

    def __init__(self, n_workers: int, accelerator: str) -> None:
        gpus = [] if accelerator == "cpu" else visible_gpus()
        self._free: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        for position in range(n_workers):
            settings = thread_settings(max(1, usable_cpus() // n_workers))
            if len(gpus) > 1:
                settings["CUDA_VISIBLE_DEVICES"] = gpus[position % len(gpus)]
            self._free.put(settings)
        self._running: set[Worker] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, trial: Trial) -> None:
        """See ``Executor``."""
        settings = self._free.get()
        try:
            worker = self._start(trial, settings)
            try:
                worker.wait()
            except TrialDied:
                if self._stopped:
                    raise TrialStopped from None
                raise
            finally:
                self._running.discard(worker)
        finally:
            self._free.put(settings)

    def _start(self, trial: Trial, settings: dict[str, str]) -> Worker:
        with self._lock:  # so that no worker starts unseen while stop() goes through them
            if self._stopped:
                raise TrialStopped
            try:
                worker = Worker(trial, settings, Path.cwd())
            except OSError as error:
                raise TrialDied(f"no process could be started: {error}") from error
            self._running.add(worker)
            return worker

    def stop(self) -> None:
        """See ``Executor``. Trials have some seconds to write a checkpoint."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for worker in running:
            worker.stop()
        end = time.monotonic() + SECONDS_TO_STOP
        for worker in running:
            worker.kill_after(max(0.0, end - time.monotonic()))


def visible_gpus() -> list[str]:
    """Names of this machine's GPUs, as ``CUDA_VISIBLE_DEVICES`` takes them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return [str(index) for index in range(torch.cuda.device_count())]
