"""When a curve first reaches a level: convergence at iso-accuracy."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter1d


def smooth(curve: Sequence[float], width: int) -> Float[np.ndarray, "n"]:
    """Centred moving average over ``width`` evaluations; the ends are repeated outwards."""
    return uniform_filter1d(np.asarray(curve, dtype=np.float64), width, mode="nearest")


def first_reaching(curve: Sequence[float], level: float, width: int) -> int | None:
    """Position at which the smoothed curve first reaches ``level``; None if it never does."""
    reached = np.flatnonzero(smooth(curve, width) >= level)
    return int(reached[0]) if len(reached) else None


def best(curve: Sequence[float], width: int) -> float:
    """The highest point of the smoothed curve."""
    return float(smooth(curve, width).max())
