"""A trial in a process of its own: how it is started, and what its end means."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from deepstdp.comparison.trials import Trial, TrialDied
from deepstdp.config_files import dump_config
from deepstdp.errors import UserError

USER_ERROR = 65
"""Exit code of a worker whose trial raised a ``UserError``."""

SECONDS_TO_STOP = 10.0
"""What a worker has to finish its step and write a checkpoint."""

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none

_THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def thread_settings(n_threads: int) -> dict[str, str]:
    """Environment of a worker that computes on so many threads."""
    return dict.fromkeys(_THREAD_SETTINGS, str(n_threads))


def kill_with_children(leader: int) -> None:
    """End a process that leads a group, and the group.

    Windows has none; there each process ends by itself when the one that started it is gone.

    Raises:
        ProcessLookupError: it is gone.
    """
    if hasattr(os, "killpg"):
        os.killpg(leader, _KILL)
    else:
        os.kill(leader, _KILL)


class Worker:
    """A running trial. It ends with the process that started it, however that one ends.

    Args:
        trial: what to run; paths in its config are relative to ``folder``.
        settings: what its environment has besides this process's.
        folder: where it runs.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, trial: Trial, settings: Mapping[str, str], folder: Path) -> None:
        self._log = folder / trial.log
        self._log.parent.mkdir(parents=True, exist_ok=True)
        # faulthandler writes where a segmentation fault happened into the log.
        python = [sys.executable, "-X", "faulthandler", "-m", f"{__package__}.worker"]
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*python, folder / trial.path],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **settings},
                start_new_session=True,  # Ctrl-C is for the parent, which then ends its workers
            )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended already: wait() says how
            self._process.stdin.write(json.dumps(dump_config(trial.config)).encode() + b"\n")
            self._process.stdin.flush()

    def wait(self) -> None:
        """Wait until the trial is finished.

        Raises:
            UserError: the trial raised it.
            TrialDied: it ended in any other way.
        """
        code = self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        if code == USER_ERROR:
            raise UserError(self._last_line())
        if code == 1:  # Python's, for an exception, which the log ends with
            raise TrialDied(f"{self._last_line()} (see {self._log})")
        if code == -_KILL:
            raise TrialDied("killed by SIGKILL: was there enough memory?")
        if code < 0:
            raise TrialDied(f"killed by {signal.Signals(-code).name} (see {self._log})")
        if code > 0:
            raise TrialDied(f"ended with exit code {code} (see {self._log})")

    def stop(self) -> None:
        """Tell the trial to finish its step, write a checkpoint and end; it is not waited for."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill_after(self, seconds: float) -> None:
        """End the trial, and all that it started, unless it ends by itself in so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        with suppress(ProcessLookupError):
            kill_with_children(self._process.pid)

    def _last_line(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
