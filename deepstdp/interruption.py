"""What to do when a run is told to stop: finish the step, keep everything, and say so."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

EXIT_CODE = 75
"""Of a command that was told to stop and can go on with ``--resume`` (EX_TEMPFAIL of sysexits)."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """A run was told to stop, and has written a checkpoint from which it can go on."""


class StopRequest:
    """Takes SIGTERM and SIGINT for a request to stop, as long as the context lasts.

    A second SIGINT is not waited with. Outside the main thread, where no signal can be caught,
    nothing changes.

    Attributes:
        is_made: whether there was one.
    """

    def __init__(self) -> None:
        self.is_made = False
        self._earlier: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler is not signal.SIG_IGN:  # as a shell's background jobs ignore SIGINT
                    self._earlier[number] = handler
                    signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.is_made and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.is_made = True
        # No print: a signal may come in the middle of another one.
        how = ", Ctrl-C again at once" if number == signal.SIGINT else ""
        with suppress(OSError):
            os.write(2, f"deepstdp: stopping after this step{how}\n".encode())


TERMINATED = "SIGTERM"
"""Argument of the ``KeyboardInterrupt`` that stands for it."""


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM raises ``KeyboardInterrupt``, as SIGINT does, so that what was started is ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _raise(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(TERMINATED)
