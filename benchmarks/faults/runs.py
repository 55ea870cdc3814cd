"""Small runs in processes of their own, how to hurt them, and what they leave."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

RECIPE = (
    *("--data.classes", "first-3", "--training.epochs", "3", "--training.batch_size", "51"),
    *("--clustering.n_clusters", "15", "--accelerator", "cpu"),
    *("--training.checkpoint_minutes", "0"),  # one after each step: most to be caught writing
)
"""Three of the digits, for some seconds."""

AGAIN = {"SLURM_RESTART_COUNT": "1"}
"""Environment of a command that is started again, as SLURM does."""

_SECONDS = 300.0
"""After which a run is said to hang."""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: its exit code, or minus the signal.
        errors: what it wrote to standard error.
    """

    code: int
    errors: str


class Run:
    """A command that writes a folder, to be started again until it is done.

    Args:
        path: the folder, or what holds its runs.
        command: ``train`` or ``compare``, with options.
    """

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        where = "--run_dir" if command[0] == "train" else "--out"
        self.path, self.arguments = path, command
        self.command = [sys.executable, "-m", "deepstdp", *command, where, str(path)]
        self.process: subprocess.Popen[str] | None = None

    def start(
        self, environment: Mapping[str, str] = AGAIN, most_bytes: int = resource.RLIM_INFINITY
    ) -> None:
        """Start the command, to go on where it stands.

        Args:
            environment: what it has besides this process's.
            most_bytes: to which a file may grow.
        """
        limit = (most_bytes, resource.RLIM_INFINITY)
        self.process = subprocess.Popen(
            self.command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        )

    def is_running_after(self, seconds: float) -> bool:
        """Whether it has not ended by then."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll() is None

    def end(self) -> Ended:
        """Wait for the end of the process, and of all that it has started.

        Raises:
            TimeoutError: it hangs; it is killed then.
        """
        assert self.process is not None
        try:
            _, errors = self.process.communicate(timeout=_SECONDS)
            deadline = time.monotonic() + _SECONDS
            while _group_lives(self.process.pid):
                if time.monotonic() > deadline:
                    raise TimeoutError
                time.sleep(0.05)
        except (subprocess.TimeoutExpired, TimeoutError):
            os.killpg(self.process.pid, signal.SIGKILL)
            raise TimeoutError(" ".join(self.command)) from None
        return Ended(self.process.returncode, errors)

    def finish(self) -> Ended:
        """Start it again, and wait."""
        self.start()
        return self.end()

    def hit(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def children(self) -> list[int]:
        """Processes that it has started and that live."""
        assert self.process is not None
        return children_of(self.process.pid)


def children_of(pid: int) -> list[int]:
    """Processes that a process has started and that live."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):  # of each thread
        with suppress(OSError):
            found += [int(child) for child in children.read_text().split()]
    return found


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def outcome(path: Path) -> dict[str, bytes]:
    """What finished runs below a folder say, without times; nothing of unfinished ones."""
    found: dict[str, bytes] = {}
    for summary in sorted(path.rglob("summary.json")):
        folder, name = summary.parent, summary.parent.relative_to(path).as_posix()
        for file in ("weights.safetensors", "clustering.safetensors", "labels.csv"):
            if (folder / file).exists():
                found[f"{name}/{file}"] = (folder / file).read_bytes()
        record = json.loads(summary.read_text())
        said = {key: record[key] for key in ("final", "untrained", "correct", "correct_untrained")}
        found[f"{name}/summary"] = json.dumps(said).encode()
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        epochs = [
            {k: v for k, v in json.loads(line).items() if not k.startswith("seconds")}
            for line in lines
        ]
        found[f"{name}/metrics"] = json.dumps(epochs).encode()
        for left in folder.rglob("*.tmp"):
            found[f"{name}/{left.name}"] = left.read_bytes()
    return found


def bytes_lost(expected: Mapping[str, bytes], found: Mapping[str, bytes]) -> int:
    """Bytes that are not as expected, missing and superfluous ones among them."""
    lost = 0
    for name in {*expected, *found}:
        one, other = expected.get(name, b""), found.get(name, b"")
        differing = sum(a != b for a, b in zip(one, other, strict=False)) if one != other else 0
        lost += differing + abs(len(one) - len(other))
    return lost
