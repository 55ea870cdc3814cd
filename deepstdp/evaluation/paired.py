"""Two accuracies on the same images."""

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from scipy.stats import norm

from deepstdp.files import Record


def paired_points(ours: Bool[ndarray, "n"], theirs: Bool[ndarray, "n"]) -> Record:
    """Difference of two accuracies on the same images, in points, and its 95 % interval.

    With b images gained, that only we get right, and c lost, that only they do, of n, the
    difference is (b - c) / n. For the interval half an image is added to each of the four kinds
    (Agresti and Min 2005), so that no disagreement is not taken for certainty: with b, c and n so
    enlarged, d = (b - c) / n and its standard error is sqrt(((b + c) / n - d^2) / n).

    Returns:
        ``mean`` and ``ci95`` in points, ``gained`` and ``lost`` in images.
    """
    n, gained, lost = len(ours), int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    difference = (gained - lost) / n
    more, ours_alone, theirs_alone = n + 2, gained + 0.5, lost + 0.5
    d = (ours_alone - theirs_alone) / more
    error = np.sqrt((ours_alone + theirs_alone) / more - d**2) / np.sqrt(more)
    half = float(norm.ppf(0.975) * error)
    ci95 = [100 * (d - half), 100 * (d + half)]
    return {"mean": 100 * difference, "ci95": ci95, "gained": gained, "lost": lost}


def in_words(low: float, high: float) -> str:
    """What an interval of a difference says."""
    if low > 0:
        return "better than"
    return "worse than" if high < 0 else "not distinguishable from"
