"""Progress bars and lines for a person; silent where nobody watches."""

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

T = TypeVar("T")


class Progress(AbstractContextManager["Progress"]):
    """Follows long work. This base class says nothing; it is what library calls use."""

    def __exit__(self, *error: object) -> None:
        """Remove the bars."""

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield ``items``, showing how many of ``total`` are done."""
        yield from items

    @contextmanager
    def busy(self, description: str) -> Iterator[None]:
        """Show that work of unknown length goes on."""
        yield from self.track([None], description)

    def line(self, text: str) -> None:
        """Say one line."""


class ConsoleProgress(Progress):
    """Lines on standard output, bars on standard error where that is a terminal."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> "ConsoleProgress":
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        """Yield ``items``, with a bar that vanishes when they are done."""
        task = self._bars.add_task(description, total=total)
        try:
            for item in items:
                yield item
                self._bars.advance(task)
        finally:
            self._bars.remove_task(task)

    def line(self, text: str) -> None:
        """Print one line above the bars."""
        print(text, flush=True)


SILENT = Progress()


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Without warnings, nor what these loggers say below an error."""
    named = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in named]
    for logger in named:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(named, levels, strict=True):
            logger.setLevel(level)
