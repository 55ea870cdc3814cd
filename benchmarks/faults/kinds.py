"""The kinds of faults: each injects some, and says how many were recovered from."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.faults.injector import Count, Injector
from benchmarks.faults.runs import AGAIN, RECIPE, Ended, Run
from deepstdp.files import load_tensors

TRAIN = ("train", *RECIPE)
COMPARE = ("compare", *RECIPE, "--methods", "stdp,kmeans", "--seeds", "1", "--workers", "2")

_MOST_A_RUN = 4
"""Kills of one run, one after the other."""


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
        run, ends = injector.new(TRAIN), list[Ended]()
        while len(ends) < min(_MOST_A_RUN, n - count.injected) and injector.is_caught(run):
            run.hit(number)
            ends.append(run.end())
        wrong = [ended for ended in ends if ended.code not in allowed | {0}]
        if wrong:
            count.add(len(ends), 1, f"exit code {wrong[0].code}: {wrong[0].errors}")
        elif ends:
            injector.check(count, len(ends), run, signal.Signals(number).name)
    return count


def damage(injector: Injector, n: int) -> Count:
    """The last checkpoint of a killed run cut short, emptied, or with a bit turned."""
    count = Count()
    while count.injected < n:
        run = injector.caught(TRAIN)
        run.hit(signal.SIGKILL)
        run.end()
        checkpoints = sorted((run.path / "checkpoints").glob("*.safetensors"))
        if not checkpoints:  # killed too early
            continue
        content = bytearray(checkpoints[-1].read_bytes())
        place = int(injector.rng.integers(len(content)))
        how = injector.rng.choice(["cut", "bit", "empty"])
        if how == "bit":
            content[place] ^= 1 << int(injector.rng.integers(8))
        checkpoints[-1].write_bytes(content if how == "bit" else content[: place * (how == "cut")])
        injector.check(count, 1, run, f"checkpoint: {how} at byte {place}")
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
                injector.check(count, 1, run, f"disk of {kib} KiB")
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
            injector.check(count, 1, run, f"files of {most} bytes")
        else:
            count.add(1, 1, f"files of {most} bytes: exit code {ended.code}, {ended.errors}")
    return count


def rank(injector: Injector, n: int) -> Count:
    """SIGKILL of one of two processes that share a run, by turns."""
    count = Count()
    while count.injected < n:
        run = injector.caught((*TRAIN, "--devices", "2"))
        which, others = count.injected % 2, run.children()
        if not others:  # not started yet
            run.hit(signal.SIGKILL)
            run.end()
            continue
        os.kill(others[0], signal.SIGKILL) if which else run.hit(signal.SIGKILL)
        try:
            run.end()
        except TimeoutError:
            count.add(1, 1, f"rank {which} killed: the other one hangs")
        else:
            injector.check(count, 1, run, f"rank {which} killed")
    return count


def worker(injector: Injector, n: int) -> Count:
    """SIGKILL of one of two trials of a comparison, which is to go on by itself."""
    count = Count()
    while count.injected < n:
        run = injector.caught(COMPARE)
        found = run.children()
        if found:
            os.kill(int(injector.rng.choice(found)), signal.SIGKILL)
            injector.compare(count, 1, run, run.end(), "worker killed")
        else:  # none started yet
            run.end()
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
        injector.compare(count, 1, run, ended, "clock")
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
