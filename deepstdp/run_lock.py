"""One process at a time writes a folder of results: two that resume the same run would ruin it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deepstdp.errors import UserError

LOCK = ".lock"
"""The file by which processes know of each other; it stays, and means nothing by being there."""

PATIENCE = 5.0
"""Seconds that another process has to come to its end: one that is restarted meets the old one."""


@contextmanager
def alone_in(path: Path) -> Iterator[None]:
    """Keep others from writing the folder of a run or a comparison, if its file system has locks.

    The system itself frees the lock of a process that is killed.

    Args:
        path: the folder, which exists.

    Raises:
        UserError: another process is writing it.
    """
    lock = FileLock(path / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"another process is writing {path}: wait for it or stop it, or choose another folder"
        ) from None
    except (OSError, NotImplementedError):
        pass  # a file system without locks
    try:
        yield
    finally:
        lock.release()
