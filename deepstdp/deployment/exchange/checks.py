"""What an executor of an exported file found in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from deepstdp.errors import UserError, kind_and_line


@dataclass(frozen=True)
class Check:
    """What one executor found in a file.

    Attributes:
        name: of the executor, with its version.
        line: what it found, or why it did not run.
        failed: whether there is a mismatch, or it broke.
    """

    name: str
    line: str
    failed: bool


def counts_check(
    name: str, found: Int[np.ndarray, "..."], expected: Int[np.ndarray, "n o"]
) -> Check:
    """Spike counts must be the same, and as many."""
    if found.shape != expected.shape:
        return Check(name, f"gives counts of shape {found.shape}, not {expected.shape}", True)
    difference = np.abs(found - expected)
    n_wrong = int((difference != 0).sum())
    most = f", by {difference.max()} at most" if n_wrong else ""
    return Check(name, f"{n_wrong:,} of {difference.size:,} spike counts differ{most}", n_wrong > 0)


def values_check(
    name: str,
    found: Float[np.ndarray, "..."],
    expected: Float[np.ndarray, "..."],
    tolerance: float,
    most_wrong: float = 0.0,
) -> Check:
    """Real numbers must be the same up to a share of the largest.

    Args:
        name: of the executor.
        found: by it.
        expected: by the network.
        tolerance: that share.
        most_wrong: share of the values that may be further off.
    """
    if found.shape != expected.shape:
        return Check(name, f"gives values of shape {found.shape}, not {expected.shape}", True)
    difference = np.abs(found - expected) / max(np.abs(expected).max(), 1e-30)
    n_wrong = int((~(difference <= tolerance)).sum())  # whatever is no number differs
    line = f"{n_wrong:,} of {difference.size:,} values differ by more than {tolerance:g}"
    failed = n_wrong > most_wrong * difference.size
    return Check(name, f"{line} of the largest (most: {difference.max():.1e})", failed)


def read_foreign(path: Path, kind: str, read: Callable[[], Any]) -> Any:
    """What another library reads from a file.

    Raises:
        UserError: there is no such file, or it is none of that kind.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    try:
        return read()
    except Exception as error:  # other libraries raise what they like for a damaged file
        raise UserError(f"{path} is no {kind} file ({kind_and_line(error)})") from None
