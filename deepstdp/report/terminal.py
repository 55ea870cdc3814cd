"""Runs in a terminal, while they go on: where they stand, how long yet, and the last epochs."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deepstdp.epoch_line import WORTH_A_LOOK
from deepstdp.errors import UserError, kind_and_line
from deepstdp.files import MISFITS, Record
from deepstdp.report.reading import RunView
from deepstdp.run_dir import METRICS, RunDir
from deepstdp.tables import duration

_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 40


def draw(run: RunDir, n_shown: int = 8) -> RenderableType:
    """The state of a run, finished or not.

    Args:
        run: its folder.
        n_shown: epochs that the table has, the last ones.

    Raises:
        UserError: its files are damaged.
    """
    view = RunView.read(run)
    try:
        return _drawn(view, n_shown)
    except MISFITS as error:
        raise UserError(f"{run.path} is damaged ({kind_and_line(error)})") from None


def draw_all(runs: Sequence[RunDir]) -> RenderableType:
    """A line for each run of a comparison, with its last epoch.

    Args:
        runs: those that have begun.

    Raises:
        UserError: the files of one are damaged.
    """
    views = [RunView.read(run) for run in runs]
    last = [view.metrics[-1] if view.metrics else {} for view in views]
    table = Table(box=None, pad_edge=False)
    columns = _columns(last)
    for name in ("run", "", *(name for _, name, _ in columns)):
        table.add_column(name, justify="left" if name in ("run", "") else "right")
    for view, record in zip(views, last, strict=True):
        path = Text(f"{view.path.parent.name}/{view.path.name}")
        try:
            state = _state(view, record.get("epoch", 0)).removeprefix("finished, ")
            table.add_row(path, state, *_cells(record, columns))
        except MISFITS as error:
            raise UserError(f"{view.path} is damaged ({kind_and_line(error)})") from None
    return table


def _drawn(view: RunView, n_shown: int) -> RenderableType:
    metrics, n_epochs = view.metrics, view.config.training.epochs
    done = metrics[-1]["epoch"] if metrics else 0
    bar = Table.grid()  # which ends its line
    bar.add_row(ProgressBar(total=max(n_epochs, 1), completed=done, width=60))
    state = Text(f"{view.path}: {_state(view, done)}", style="bold")
    parts: list[RenderableType] = [state, bar]
    if metrics:
        parts += [*_curves(metrics), _table(metrics[-n_shown:])]
    return Group(*parts)


def _state(view: RunView, done: int) -> str:
    metrics, n_epochs = view.metrics, view.config.training.epochs
    if view.summary is not None:
        return f"finished, {done} epochs in {duration(view.summary['wall_seconds'])}"
    if not metrics:
        return f"epoch 1 of {n_epochs} goes on"
    each = sum(_seconds(record) for record in metrics) / len(metrics)
    since = max(0.0, time.time() - _written(view.path))
    left = max(0.0, each * (n_epochs - done) - since)
    said = f"{done} of {n_epochs} epochs, about {duration(left)} left"
    if since > 60 + 5 * each:  # it may have been stopped
        said += f"; nothing new for {duration(since)}: has it ended? --resume goes on"
    return said


def _written(path: Path) -> float:
    return (path / METRICS).stat().st_mtime


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
