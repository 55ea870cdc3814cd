"""The kinds of faults: each injects some, and says how many were recovered from."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.faults.runs import AGAIN, RECIPE, Ended, Run, bytes_lost, outcome
from deepstdp.files import load_tensors

TRAIN = ("train", *RECIPE)
COMPARE = ("compare", *RECIPE, "--methods", "stdp,kmeans", "--seeds", "1", "--workers", "2")

_MOST_A_RUN = 4
"""Kills of one run, one after the other."""


@dataclass
class Count:
    """What came of a kind of fault.

    Attributes:
        injected: faults.
        recovered: those after which the results were those of an unbroken run, to the byte.
        bytes_lost: in the files of the others.
        failures: what is known of these.
    """

    injected: int = 0
    recovered: int = 0
    bytes_lost: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, n: int, lost: int, what: str) -> None:
        """Count ``n`` faults of one run."""
        self.injected += n
        self.bytes_lost += lost
        if lost:
            self.failures.append(what)
        else:
            self.recovered += n


class Injector:
    """Makes runs, hurts them at random moments and compares what they leave.

    Args:
        folder: for the runs.
        rng: says when and where.
    """

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.folder, self.rng = folder, rng
        self._expected: dict[Sequence[str], tuple[dict[str, bytes], float]] = {}
        self._n_runs = 0

    def new(self, command: Sequence[str]) -> Run:
        """A run that has not begun."""
        self._n_runs += 1
        return Run(self.folder / f"run-{self._n_runs}", command)

    def moment(self, command: Sequence[str]) -> float:
        """Seconds after the start, somewhere in the time that an unbroken run takes."""
        return float(self.rng.uniform(0, self._unbroken(command)[1]))

    def expected(self, command: Sequence[str]) -> dict[str, bytes]:
        """What an unbroken run leaves."""
        return self._unbroken(command)[0]

    def _unbroken(self, command: Sequence[str]) -> tuple[dict[str, bytes], float]:
        if command not in self._expected:
            for _ in range(2):  # the first one compiles
                run, start = self.new(command), os.times().elapsed
                ended = run.finish()
                assert ended.code == 0, ended.errors
                seconds = os.times().elapsed - start
            self._expected[command] = (outcome(run.path), seconds)
        return self._expected[command]

    def check(self, count: Count, n: int, run: Run, command: Sequence[str], what: str) -> None:
        """Finish a run, and count its faults."""
        try:
            ended = run.finish()
        except TimeoutError as error:
            count.add(n, 1, f"{what}: hangs: {error}")
            return
        lost = bytes_lost(self.expected(command), outcome(run.path))
        count.add(n, lost, f"{what}: exit code {ended.code}, {ended.errors.strip()[-300:]}")


def kill(injector: Injector, n: int) -> Count:
    """SIGKILL at random moments, of one run several times."""
    return _signalled(injector, n, signal.SIGKILL, {-signal.SIGKILL})


def terminate(injector: Injector, n: int) -> Count:
    """SIGTERM; where Python has not come to listen yet it is the system that ends the process."""
    allowed = {75, 128 + signal.SIGTERM, -signal.SIGTERM}
    return _signalled(injector, n, signal.SIGTERM, allowed)


def _signalled(injector: Injector, n: int, number: int, allowed: set[int]) -> Count:
    count = Count()
    while count.injected < n:
        run, hits, ends = injector.new(TRAIN), 0, []
        while hits < min(_MOST_A_RUN, n - count.injected):
            run.start()
            if not run.is_running_after(injector.moment(TRAIN)):
                run.end()
                break
            assert run.process is not None
            run.process.send_signal(number)
            ends.append(run.end())
            hits += 1
        wrong = [ended for ended in ends if ended.code not in allowed | {0}]
        if wrong:
            count.add(hits, 1, f"exit code {wrong[0].code}: {wrong[0].errors}")
        elif hits:
            injector.check(count, hits, run, TRAIN, signal.Signals(number).name)
    return count


def damage(injector: Injector, n: int) -> Count:
    """The last checkpoint of a killed run cut short, emptied, or with a bit turned."""
    count = Count()
    while count.injected < n:
        run = injector.new(TRAIN)
        run.start()
        if run.is_running_after(injector.moment(TRAIN)):
            assert run.process is not None
            run.process.kill()
        run.end()
        checkpoints = sorted((run.path / "checkpoints").glob("*.safetensors"))
        if not checkpoints:  # killed too early, or finished
            continue
        content = bytearray(checkpoints[-1].read_bytes())
        place = int(injector.rng.integers(len(content)))
        how = injector.rng.choice(["cut", "bit", "empty"])
        if how == "bit":
            content[place] ^= 1 << int(injector.rng.integers(8))
        checkpoints[-1].write_bytes(content if how == "bit" else content[: place * (how == "cut")])
        injector.check(count, 1, run, TRAIN, f"checkpoint: {how} at byte {place}")
    return count


def full_disk(injector: Injector, n: int) -> Count:
    """A disk that is full before the run is done, then larger; needs the right to mount."""
    count = Count()
    size = sum(len(content) for content in injector.expected(TRAIN).values())
    while count.injected < n:
        run = injector.new(TRAIN)
        disk = run.path.with_name(f"{run.path.name}-disk")
        disk.mkdir()
        kib = int(injector.rng.integers(8, 2 * size // 1024))
        _mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(disk))
        try:
            run = Run(disk / "run", TRAIN)
            ended = run.finish()
            if ended.code == 0:
                continue
            _mount("-o", "remount,size=1g", str(disk))
            if _one_line(ended, "No space left on device"):
                injector.check(count, 1, run, TRAIN, f"disk of {kib} KiB")
            else:
                count.add(1, 1, f"disk of {kib} KiB: exit code {ended.code}, {ended.errors}")
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
    return count


def file_limit(injector: Injector, n: int) -> Count:
    """The same without rights: no file of the first attempt may grow beyond a limit."""
    count = Count()
    largest = max(len(content) for content in injector.expected(TRAIN).values())
    while count.injected < n:
        run = injector.new(TRAIN)
        most = int(injector.rng.integers(1_000, largest))
        run.start(AGAIN, most)
        ended = run.end()
        if ended.code == 0:
            continue
        if _one_line(ended, "File too large"):
            injector.check(count, 1, run, TRAIN, f"files of {most} bytes")
        else:
            count.add(1, 1, f"files of {most} bytes: exit code {ended.code}, {ended.errors}")
    return count


def rank(injector: Injector, n: int) -> Count:
    """SIGKILL of one of two processes that share a run, by turns."""
    command = (*TRAIN, "--devices", "2")
    count = Count()
    while count.injected < n:
        run = injector.new(command)
        run.start()
        if run.is_running_after(injector.moment(command)) and run.children():
            assert run.process is not None
            which = count.injected % 2
            os.kill([run.process.pid, run.children()[0]][which], signal.SIGKILL)
            try:
                run.end()
            except TimeoutError:
                count.add(1, 1, f"rank {which} killed: the other one hangs")
                continue
            injector.check(count, 1, run, command, f"rank {which} killed")
        else:
            run.end()
    return count


def worker(injector: Injector, n: int) -> Count:
    """SIGKILL of one of two trials of a comparison, which is to go on by itself."""
    count = Count()
    while count.injected < n:
        run = injector.new(COMPARE)
        run.start()
        if not run.is_running_after(injector.moment(COMPARE)) or not (found := run.children()):
            run.end()
            continue
        os.kill(int(injector.rng.choice(found)), signal.SIGKILL)
        ended = run.end()
        lost = bytes_lost(injector.expected(COMPARE), outcome(run.path))
        count.add(1, lost, f"worker killed: exit code {ended.code}, {ended.errors[-300:]}")
    return count


def divergence(injector: Injector, n: int) -> Count:
    """A learning rate that rises until the loss is no number: the last checkpoint must be good."""
    count = Count()
    for _ in range(n):
        rate = float(10 ** injector.rng.uniform(4, 12))
        options = ("--training.learning_rate", f"{rate:.3g}", "--training.warmup_epochs", "3")
        run = injector.new((*TRAIN, *options))
        ended = run.finish()
        named = re.search(r"diverged.*last good checkpoint is (\S+)", ended.errors)
        good = named is not None and all(
            bool(torch.isfinite(value.double()).all())
            for value in load_tensors(Path(named[1]))[0].values()
        )
        count.add(1, 0 if ended.code == 2 and good else 1, f"rate {rate}: {ended.errors}")
    return count


def clock(injector: Injector, n: int) -> Count:
    """A wall clock that goes backwards by an hour with each look at it."""
    folder = injector.folder / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import itertools, time\n"
        "start, looks = time.time(), itertools.count()\n"
        "time.time = lambda: start - 3600.0 * next(looks)\n"
        "time.time_ns = lambda: int(time.time() * 1e9)\n"
    )
    count = Count()
    for _ in range(n):
        run = injector.new(TRAIN)
        run.start(
            {**AGAIN, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        )
        ended = run.end()
        lost = bytes_lost(injector.expected(TRAIN), outcome(run.path))
        count.add(1, lost, f"clock: exit code {ended.code}, {ended.errors[-300:]}")
    return count


def _one_line(ended: Ended, reason: str) -> bool:
    return ended.code == 2 and ended.errors.count("\n") == 1 and reason in ended.errors


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def may_mount(folder: Path) -> bool:
    """Whether this user may."""
    made = folder / "mounted"
    made.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", "size=16k", "tmpfs", str(made))
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["umount", str(made)], check=True)
    return True


Kind = Callable[[Injector, int], Count]
KINDS: dict[str, Kind] = {
    "killed (SIGKILL)": kill,
    "told to stop (SIGTERM)": terminate,
    "last checkpoint damaged": damage,
    "disk full": full_disk,
    "file size limit": file_limit,
    "one of two processes killed": rank,
    "a worker of compare killed": worker,
    "training diverges": divergence,
    "clock goes backwards": clock,
}
