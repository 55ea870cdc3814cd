"""Runs in a terminal, while they go on: where they stand, how long yet, and the last epochs."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deepstdp.epoch_line import WORTH_A_LOOK
from deepstdp.errors import UserError, kind_and_line
from deepstdp.files import MISFITS, Record
from deepstdp.report.reading import RunView
from deepstdp.run_dir import METRICS
from deepstdp.tables import duration

_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 40


def draw(view: RunView, n_shown: int = 8) -> RenderableType:
    """The state of a run, finished or not.

    Args:
        view: what its folder says.
        n_shown: epochs that the table has, the last ones.

    Raises:
        UserError: its files are damaged.
    """
    with _damage_said(view):
        metrics, n_epochs = view.metrics, view.config.training.epochs
        done = metrics[-1]["epoch"] if metrics else 0
        bar = Table.grid()  # which ends its line
        bar.add_row(ProgressBar(total=max(n_epochs, 1), completed=done, width=60))
        hint = ": has it ended? --resume goes on" if _silence(view) else ""
        state = Text(f"{view.path}: {_state(view)}{hint}", style="bold")
        parts: list[RenderableType] = [state, bar]
        if metrics:
            parts += [*_curves(metrics), _table(metrics[-n_shown:])]
    return Group(*parts)


def draw_all(views: Sequence[RunView]) -> RenderableType:
    """A line for each run of a comparison, with its last epoch; those that go on come first.

    Args:
        views: of the runs that have begun.

    Raises:
        UserError: the files of one are damaged.
    """
    views = sorted(views, key=lambda view: view.summary is not None)
    last = [view.metrics[-1] if view.metrics else {} for view in views]
    table = Table(box=None, pad_edge=False)
    columns = _columns(last)
    for name in ("run", "", *(name for _, name, _ in columns)):
        is_number = name not in ("run", "")
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    for view, record in zip(views, last, strict=True):
        with _damage_said(view):
            path = Text(f"{view.path.parent.name}/{view.path.name}")
            table.add_row(path, _state(view), *_cells(record, columns))
    return table


@contextmanager
def _damage_said(view: RunView) -> Iterator[None]:
    try:
        yield
    except MISFITS as error:
        raise UserError(f"{view.path} is damaged ({kind_and_line(error)})") from None


def _state(view: RunView) -> str:
    metrics, n_epochs = view.metrics, view.config.training.epochs
    if view.summary is not None:
        return f"finished in {duration(view.summary['wall_seconds'])}"
    if not metrics:
        return f"epoch 1 of {n_epochs} goes on"
    done = metrics[-1]["epoch"]
    if silence := _silence(view):
        return f"{done} of {n_epochs} epochs, nothing new for {duration(silence)}"
    left = max(0.0, _seconds_each(metrics) * (n_epochs - done) - _since(view))
    return f"{done} of {n_epochs} epochs, about {duration(left)} left"


def _silence(view: RunView) -> float | None:
    """Seconds since the last epoch, if they are so many that the run may have been stopped."""
    if view.summary is not None or not view.metrics:
        return None
    since = _since(view)
    return since if since > 60 + 5 * _seconds_each(view.metrics) else None


def _since(view: RunView) -> float:
    return max(0.0, time.time() - (view.path / METRICS).stat().st_mtime)


def _seconds_each(metrics: Sequence[Record]) -> float:
    return sum(_seconds(record) for record in metrics) / len(metrics)


def _seconds(record: Record) -> float:
    return sum(value for name, value in record.items() if name.startswith("seconds_"))


def _curves(metrics: Sequence[Record]) -> list[Text]:
    """A line of blocks for what is measured on labels, or on none."""
    lines = []
    for key, name, form in WORTH_A_LOOK:
        values = [record[key] for record in metrics if record.get(key) is not None]
        if len(set(values)) > 1:
            ends = f"{form.format(values[0])} -> {form.format(values[-1])}"
            lines.append(Text(f"{name:>6} {sparkline(values)} {ends}"))
    return lines


def sparkline(values: Sequence[float], width: int = _CURVE_WIDTH) -> str:
    """Values as blocks between their lowest and highest; of too many, every n-th from the last.

    >>> sparkline([0, 1, 2, 7])
    '▁▂▃█'
    """
    step = -(-len(values) // width)
    shown = list(values)[::-1][::step][::-1]
    low, span = min(shown), (max(shown) - min(shown)) or 1
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in shown)


def _table(metrics: Sequence[Record]) -> Table:
    columns = _columns(metrics)
    table = Table(box=None, pad_edge=False)
    for name in ("epoch", *(name for _, name, _ in columns), "time"):
        table.add_column(name, justify="right")
    for record in metrics:
        table.add_row(str(record["epoch"]), *_cells(record, columns), duration(_seconds(record)))
    return table


Columns = Sequence[tuple[str, str, str]]


def _columns(metrics: Sequence[Record]) -> Columns:
    """What was measured in one of them at least."""
    return [c for c in WORTH_A_LOOK if any(record.get(c[0]) is not None for record in metrics)]


def _cells(record: Record, columns: Columns) -> list[str]:
    return [
        "-" if record.get(key) is None else form.format(record[key]) for key, _, form in columns
    ]
