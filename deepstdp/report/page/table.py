"""Methods side by side: means over seeds, and the paired difference to the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepstdp.comparison.statistics import estimate, paired_difference
from deepstdp.report.reading import PROBE, RunView, baseline_of, finished, paired_by_seed

_COLUMNS: tuple[tuple[str, str, float, int], ...] = (
    (PROBE, "linear probe %", 100, 1),
    ("knn_accuracy", "k-NN %", 100, 1),
    ("nmi_labels", "NMI", 1, 3),
    ("assignment_stability", "stability", 1, 2),
)


@dataclass(frozen=True)
class Table:
    """Cells as text.

    Attributes:
        header: of the columns.
        rows: one a method.
        note: what the intervals are.
    """

    header: list[str]
    rows: list[list[str]]
    note: str


def method_table(groups: Mapping[str, Sequence[RunView]]) -> Table:
    """What each method ends with."""
    base = baseline_of(groups)
    header = ["method", "seeds", *(name for _, name, _, _ in _COLUMNS)]
    rows = []
    for name, of_one in groups.items():
        views = finished(of_one) or of_one
        cells = [
            _mean([view.final.get(key) for view in views], scale, digits)
            for key, _, scale, digits in _COLUMNS
        ]
        rows.append([name, str(len(views)), *cells])
        if base is not None:
            rows[-1].append("-" if name == base else _points(views, groups[base]))
    if base is not None:
        header.append(f"points over {base}")
    note = "± half the 95 % t-interval over seeds; differences are paired by seed."
    return Table(header, rows, note)


def _mean(values: Sequence[float | None], scale: float, digits: int) -> str:
    found = estimate(values)
    if found["mean"] is None:
        return "-"
    mean = f"{scale * found['mean']:.{digits}f}"
    if found["ci95"] is None:
        return mean
    return f"{mean} ± {scale * (found['ci95'][1] - found['mean']):.{digits}f}"


def _points(ours: Sequence[RunView], theirs: Sequence[RunView]) -> str:
    known = paired_by_seed(ours, theirs)
    found = paired_difference([a for a, _ in known], [b for _, b in known])
    if found["mean"] is None:
        return "-"
    mean = f"{100 * found['mean']:+.1f}"
    if found["ci95"] is None:
        return mean
    low, high = (100 * end for end in found["ci95"])
    return f"{mean} [{low:+.1f}, {high:+.1f}]"
