"""Trials on a Ray cluster: Ray finds the place, ``processes.Worker`` does the rest there."""

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepstdp.comparison.executors import Executor
from deepstdp.comparison.processes import Worker, thread_settings
from deepstdp.comparison.trials import Trial, TrialDied, TrialStopped
from deepstdp.errors import UserError, first_line
from deepstdp.imports import require_extra
from deepstdp.processes import usable_cpus
from deepstdp.progress import Progress

_SEEN_WITHIN = 60.0
"""Seconds until a file that one node wrote is seen by another: NFS caches folders that long."""


class RayCluster(Executor):
    """A Ray task for each trial.

    It joins the cluster that ``RAY_ADDRESS`` names or that runs on this machine, or else starts
    one on this machine. Nodes need this package, and see the same files under the same paths.

    Args:
        n_workers: how many trials run at once; the cluster's cores are divided among them.
        accelerator: of the config; ``auto`` takes a GPU a trial where the cluster has any.
        progress: says which cluster it is.

    Raises:
        UserError: Ray is not installed, there is no cluster where ``RAY_ADDRESS`` says, or it
            has no GPU and the config asks for one.
    """

    def __init__(self, n_workers: int, accelerator: str, progress: Progress) -> None:
        ray = require_extra("ray", "--executor ray", "ray")
        self._ray = ray
        self._is_own = not ray.is_initialized()
        if self._is_own:
            _connect(ray, progress)
        self._stopped = False
        self._running: set[Any] = set()
        total = ray.cluster_resources()
        has_gpus = total.get("GPU", 0) >= 1
        if accelerator == "cuda" and not has_gpus:
            self.stop()
            raise UserError("the Ray cluster has no GPU: use --accelerator auto")
        cores = [int(n["Resources"].get("CPU", 0)) for n in ray.nodes() if n["Alive"]]
        self._n_threads = cores_for_each(n_workers, cores)
        progress.line(
            f"Ray: {len(cores)} nodes, {sum(cores)} CPUs, {total.get('GPU', 0):.0f} GPUs; "
            f"{self._n_threads} CPUs a trial"
        )
        self._task = ray.remote(_run_there).options(
            num_cpus=self._n_threads,
            num_gpus=int(has_gpus and accelerator != "cpu"),
            max_retries=0,  # who calls run() knows when to try again
        )

    def run(self, trial: Trial) -> None:
        """See ``Executor``."""
        if self._stopped:
            raise TrialStopped
        errors = self._ray.exceptions
        settings = thread_settings(self._n_threads)
        task = self._task.remote(trial, settings, Path.cwd())
        self._running.add(task)
        try:
            self._ray.get(task)
        except errors.RayTaskError as error:
            if isinstance(error.cause, UserError | TrialDied):
                raise error.cause from None
            raise TrialDied(f"{type(error.cause).__name__}: {error.cause}") from error
        except errors.RayError as error:
            if self._stopped:
                raise TrialStopped from None
            raise TrialDied(f"Ray lost it: {first_line(error)}") from error
        finally:
            self._running.discard(task)
        wait_until_seen(trial)

    def stop(self) -> None:
        """See ``Executor``. Workers end with the tasks that wait for them."""
        self._stopped = True
        for task in list(self._running):
            self._ray.cancel(task, force=True)
        if self._is_own:
            self._ray.shutdown()


def _connect(ray: Any, progress: Progress) -> None:
    _check_address(os.environ.get("RAY_ADDRESS", ""))
    quiet = {"logging_level": "error", "log_to_driver": False}
    try:
        # Only a cluster that is started here takes a number of CPUs.
        ray.init(num_cpus=usable_cpus(), include_dashboard=False, **quiet)
        progress.line("no Ray cluster found (RAY_ADDRESS names none): started one on this machine")
    except ValueError:
        ray.init(**quiet)
    except ConnectionError as error:
        raise UserError(f"Ray finds no cluster: {' '.join(str(error).split())}") from None


def _check_address(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:  # another kind of address
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(
            f"there is no Ray cluster at RAY_ADDRESS {address} ({error.strerror or error})"
        ) from None


def _run_there(trial: Trial, settings: dict[str, str], folder: Path) -> None:
    """What a node does."""
    if not folder.is_dir():
        raise UserError(f"{folder}, where this program runs, is on no file system that nodes see")
    Worker(trial, settings, folder).wait()


def cores_for_each(n_workers: int, cores: Sequence[int]) -> int:
    """The most cores a trial can have when so many run at once.

    Args:
        n_workers: trials at once.
        cores: of each node; a trial runs on one node.
    """
    for n in range(max(cores, default=1), 1, -1):
        if sum(available // n for available in cores) >= n_workers:
            return n
    return 1


def wait_until_seen(trial: Trial, seconds: float = _SEEN_WITHIN) -> None:
    """Wait for the results that a node wrote to appear here.

    Raises:
        UserError: they do not.
    """
    deadline = time.monotonic() + seconds
    while trial.summary() is None:
        if time.monotonic() > deadline:
            raise UserError(
                f"{trial.path} is finished, but not to be seen here: "
                "--out must be on a file system that all nodes see"
            )
        time.sleep(1)
