"""Gives damaged files to a loader, and counts what it does with them."""

import faulthandler
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.fuzz.loaders import Loader
from deepstdp.errors import UserError

SECONDS = 20.0
"""After which a file is said to hang its loader."""

_ENDED = 120.0
"""After which the process ends, if it hangs where no signal of Python's reaches it."""

_NOTED_EVERY = 50

CURRENT = "current-"
"""How the name begins of the file that a loader was reading when its process ended."""

_MOST_MIB = 1024
"""By which memory may grow over all files."""


@dataclass
class Count:
    """What became of files.

    Attributes:
        given: to the loader.
        read: by it, as the changes did no harm or no check can see them.
        refused: with one clear line.
        failures: everything else, with the end of the traceback and the file.
        seconds: that the slowest took.
        mib: by which memory grew.
    """

    given: int = 0
    read: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    mib: float = 0.0


def fuzz(
    loader: Loader,
    n: int,
    rng: np.random.Generator,
    folder: Path,
    kept: Path | None = None,
    note: Callable[[Count], None] = lambda count: None,
) -> Count:
    """Give ``n`` damaged files to a loader.

    Args:
        loader: what reads them.
        n: how many.
        rng: of the damage.
        folder: for the files; empty.
        kept: where those that a loader fails on are kept.
        note: is told how it stands, now and then and with each failure.
    """
    whole = [(path, path.read_bytes()) for path in loader.whole(folder)]
    for path, _ in whole:
        refused = _tried(loader, path)
        assert refused is None, refused
    count, before, current = Count(), _peak_mib(), None
    while count.given < n:
        path, content = whole[int(rng.integers(len(whole)))]
        damaged = loader.damage(content, rng)
        path.write_bytes(damaged)
        if kept is not None:
            current = kept / f"{CURRENT}{path.name}"
            current.write_bytes(damaged)
        start = time.perf_counter()
        failure = _one(loader, path, count)
        count.seconds = max(count.seconds, time.perf_counter() - start)
        path.write_bytes(content)
        if current is not None:
            current.unlink()
        grown = _peak_mib() - before
        if grown > _MOST_MIB and not failure:
            failure = f"memory grew by {grown:.0f} MiB"
            before = _peak_mib()
        count.mib = max(count.mib, grown)
        if failure:
            count.failures.append(f"{path.name}: {failure}")
            if kept is not None:
                (kept / f"{len(count.failures)}-{path.name}").write_bytes(damaged)
        if failure or count.given % _NOTED_EVERY == 0 or count.given == n:
            note(count)
    return count


def _one(loader: Loader, path: Path, count: Count) -> str | None:
    count.given += 1
    try:
        with _limited():
            read = _tried(loader, path)
    except _Hang:
        return f"hangs for {SECONDS:.0f} s"
    except Exception:
        return traceback.format_exc()[-600:]
    count.read += read is None
    if read is not None:
        if not read.isprintable() or len(read) > 2_000:
            return f"no clear line: {read[:300]!r}"
        count.refused += 1
    return None


def _tried(loader: Loader, path: Path) -> str | None:
    """Why a file was refused."""
    try:
        loader.load(path)
    except UserError as error:
        return str(error)
    return None


class _Hang(BaseException):
    """So that no loader's catch-all catches it."""


@contextmanager
def _limited() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise _Hang

    earlier = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(_ENDED, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
