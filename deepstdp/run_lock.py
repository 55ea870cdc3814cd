"""One process at a time writes a run's folder: two that resume the same run would ruin it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from deepstdp.errors import UserError

LOCK = ".lock"
"""The file by which processes know of each other; it stays, and means nothing by being there."""


@contextmanager
def alone_in(path: Path) -> Iterator[None]:
    """Keep others from writing a run's folder. A process that is killed keeps nobody from it.

    Args:
        path: the folder, which exists.

    Raises:
        UserError: another process is writing it.
    """
    lock = FileLock(path / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"another process is writing {path}: wait for it or stop it "
            f"(if there is none, delete {path / LOCK})"
        ) from None
    try:
        yield
    finally:
        lock.release()
