"""What a study shows over subsets of classes, as Markdown."""

from deepstdp.comparison.statistics import Estimate
from deepstdp.files import Record
from deepstdp.tables import markdown_table


def subsets_table(record: Record) -> str | None:
    """A row for each variant, with the subset of classes as the unit; None for fewer than two."""
    if not record["over_subsets"]:
        return None
    baseline = record["baseline"]
    header = ("variant", f"ratio to {baseline}", "points to untrained", "subsets below untrained")
    rows = [
        (
            name,
            _show(row["ratio"], "{:.3f}"),
            _show(row["points_to_untrained"], "{:+.1f}"),
            ", ".join(row["below_untrained"]) or "-",
        )
        for name, row in record["over_subsets"].items()
    ]
    lines = markdown_table(header, rows)
    n = len(record["subsets"])
    return "\n".join([*lines, "", f"{n} subsets; in brackets the 95 % t-interval over them."])


def _show(value: Estimate, form: str) -> str:
    if value["mean"] is None:
        return "-"
    text = form.format(value["mean"])
    if value["ci95"] is None:
        return text
    low, high = (form.format(end) for end in value["ci95"])
    return f"{text} [{low}, {high}]"
