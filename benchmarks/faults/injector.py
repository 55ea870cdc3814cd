"""Catches runs at random moments, and counts what becomes of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.faults.runs import Ended, Run, bytes_lost, outcome


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

    def caught(self, command: Sequence[str]) -> Run:
        """A run that is under way, at a random moment of it."""
        while not self.is_caught(run := self.new(command)):
            pass
        return run

    def is_caught(self, run: Run) -> bool:
        """Start a run (again): whether it is under way at a random moment; else it has ended."""
        moment = float(self.rng.uniform(0, self._unbroken(run.arguments)[1]))
        run.start()
        if run.is_running_after(moment):
            return True
        run.end()
        return False

    def new(self, command: Sequence[str]) -> Run:
        """A run that has not begun."""
        self._n_runs += 1
        return Run(self.folder / f"run-{self._n_runs}", command)

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

    def check(self, count: Count, n: int, run: Run, what: str) -> None:
        """Finish a run, and count its faults."""
        try:
            self.compare(count, n, run, run.finish(), what)
        except TimeoutError as error:
            count.add(n, 1, f"{what}: hangs: {error}")

    def compare(self, count: Count, n: int, run: Run, ended: Ended, what: str) -> None:
        """Count the faults of a run that has ended."""
        lost = bytes_lost(self.expected(run.arguments), outcome(run.path))
        count.add(n, lost, f"{what}: exit code {ended.code}, {ended.errors.strip()[-300:]}")
