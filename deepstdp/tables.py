"""Tables in Markdown, which a terminal shows as well as a README; times as a person says them."""

from collections.abc import Sequence
from datetime import timedelta


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, its columns aligned."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [_line(header, widths), _line(["-" * w for w in widths], widths)]
    return lines + [_line(row, widths) for row in rows]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``12 s``, ``3:07 min``, ``2:05 h``.

    >>> duration(12.4), duration(187), duration(7500)
    ('12 s', '3:07 min', '2:05 h')
    """
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    hours, minutes, rest = str(timedelta(seconds=round(seconds % 86_400))).split(":")
    hours = str(int(hours) + 24 * int(seconds // 86_400))
    return f"{hours}:{minutes} h" if int(hours) else f"{int(minutes)}:{rest} min"
