"""One trial in a process of its own: ``python -m deepstdp.comparison.worker RUN_DIR``.

``processes.Worker`` starts it. The config comes as a line of JSON on standard input, which stays
open as long as anybody waits for the result: when it closes, the worker ends.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from deepstdp.comparison.processes import SECONDS_TO_STOP, USER_ERROR, kill_with_children
from deepstdp.config import Config
from deepstdp.config_files import load_config
from deepstdp.errors import UserError
from deepstdp.interruption import EXIT_CODE, Interrupted
from deepstdp.progress import ConsoleProgress
from deepstdp.runner import run_experiment


def main(path: Path) -> int:
    """Run the trial into ``path``; 0, or ``USER_ERROR`` with the reason as the last line."""
    try:
        config = _read_config()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        with ConsoleProgress() as progress:
            # A trial that was cut short goes on from its checkpoint.
            run_experiment(config, path, resume=True, progress=progress)
    except UserError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    except Interrupted as error:
        print(error, file=sys.stderr)
        return EXIT_CODE
    return 0


def _read_config() -> Config:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(json.loads(sys.stdin.readline()), encoding="utf-8")
        return load_config(path, trust_code=True)  # the user's own


def _end_with_parent() -> None:
    """Wait until standard input closes, then end with whatever this process has started.

    A run has some time to finish its step and to write a checkpoint.
    """
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_STOP)
    kill_with_children(os.getpid())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
