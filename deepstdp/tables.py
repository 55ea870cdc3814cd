"""Tables in Markdown, which a terminal shows as well as a README; times as a person says them."""

from collections.abc import Mapping, Sequence

Cell = float | int | None


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
    minutes, rest = divmod(round(seconds), 60)
    hours, of_hour = divmod(minutes, 60)
    if hours:
        return f"{hours}:{of_hour:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def number_table(columns: Mapping[str, Mapping[str, Cell]]) -> str:
    """One line a number, one column a method; a dash where a method has no such number."""
    names = list(dict.fromkeys(name for record in columns.values() for name in record))
    width, widths = max(map(len, names)), [max(8, len(method)) for method in columns]
    rows = [("", *columns)]
    rows += [(name, *(_cell(record.get(name)) for record in columns.values())) for name in names]
    return "\n".join(
        f"{name:<{width}}" + "".join(f"  {c:>{w}}" for c, w in zip(cells, widths, strict=True))
        for name, *cells in rows
    )


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
