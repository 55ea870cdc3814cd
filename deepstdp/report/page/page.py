"""The page itself: what the parts make of the run folders, in a template."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from deepstdp.config_files import dump_config
from deepstdp.errors import UserError, kind_and_line
from deepstdp.files import MISFITS, write_atomically
from deepstdp.progress import SILENT, Progress
from deepstdp.report.page.charts import Chart
from deepstdp.report.page.clusters import confusion_chart, explore, make_sprite
from deepstdp.report.page.conversion import conversion_charts
from deepstdp.report.page.curves import curve_charts
from deepstdp.report.page.feature_map import map_chart
from deepstdp.report.page.health import warnings
from deepstdp.report.page.spikes import layer_charts, open_layer, present
from deepstdp.report.page.table import method_table
from deepstdp.report.page.template import templates
from deepstdp.report.page.verdict import verdict
from deepstdp.report.reading import RunView, group_runs
from deepstdp.run_dir import RunDir
from deepstdp.tables import duration

PAGE = "report.html"

LARGEST = 9_500_000
"""Bytes of a page: runs that would make it larger are summed up, but not looked into."""


def write_report(runs: Sequence[RunDir], out: Path, progress: Progress = SILENT) -> Path:
    """Write the page, and return where.

    Runs that differ in their seed alone are taken together, and the first of them is looked into.

    Args:
        runs: folders of runs, finished or not.
        out: the file.
        progress: follows the work.

    Raises:
        UserError: a run is damaged.
    """
    groups = group_runs([RunView.read(run) for run in runs])
    environment, names = templates(), list(groups)
    details: list[Markup] = []
    size = len(_encoded(_page(environment, groups, details, left_out=[])))
    for i, name in enumerate(progress.track(names, "report", len(names))):
        detail = _detail(environment, i, name, groups[name][0])
        size += len(_encoded(detail))
        if details and size > LARGEST:
            break
        details.append(detail)
    page = _page(environment, groups, details, left_out=names[len(details) :])
    write_atomically(out, _encoded(page))
    return out


def _page(
    environment: Environment,
    groups: Mapping[str, Sequence[RunView]],
    details: Sequence[Markup],
    left_out: Sequence[str],
) -> str:
    return environment.get_template("report.html.jinja").render(
        title=", ".join(groups),
        verdicts=verdict(groups),
        warnings=_warnings(groups),
        table=method_table(groups) if len(groups) > 1 else None,
        curves=curve_charts(groups),
        details=details,
        left_out=left_out,
        date=date.today().isoformat(),
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),
    )


def _encoded(page: str) -> bytes:
    """As UTF-8, and names of files that are none with escapes."""
    return page.encode("utf-8", "backslashreplace")


def _warnings(groups: Mapping[str, Sequence[RunView]]) -> list[tuple[str, str]]:
    """(run, warning) of all runs."""
    return [
        (name if len(views) == 1 else f"{name}, seed {view.config.seed}", said)
        for name, views in groups.items()
        for view in views
        for said in warnings(view)
    ]


def _detail(environment: Environment, index: int, name: str, view: RunView) -> Markup:
    """One run, looked into: clusters, features, spikes, conversion, facts."""
    content: dict[str, Any] = {
        "index": index,
        "name": name,
        "seed": view.config.seed,
        "facts": _facts(view),
        "config": dump_config(view.config),
        "conversion": _conversion(view),
        "examples": None,
        "presented": [],
        "layer": [],
    }
    examples = view.examples
    if examples is not None:
        sprite = make_sprite(examples.images)
        content |= {
            "examples": examples,
            "sprite": sprite,
            "places": [sprite.place(i) for i in range(len(examples.images))],
            "clusters": explore(examples, view.class_names, sprite),
            "n_filled": int((examples.sizes > 0).sum()),
            "map": map_chart(examples, view.class_names, view.config.seed),
            "confusion": confusion_chart(examples.contingency, view.class_names),
        }
        layer = open_layer(view)
        if layer is not None:
            content["presented"] = present(layer, examples)
            content["layer"] = layer_charts(view, layer, examples)
    return Markup(environment.get_template("detail.html.jinja").render(content))


def _conversion(view: RunView) -> list[Chart]:
    if view.conversion is None:
        return []
    try:
        return conversion_charts(view.conversion)
    except MISFITS as error:
        reason = kind_and_line(error)
        raise UserError(f"{view.path}: its conversion.json is damaged ({reason})") from None


def _facts(view: RunView) -> list[tuple[str, str]]:
    facts = [("method", view.method), ("folder", view.path.name), ("seed", str(view.config.seed))]
    if view.summary is None:
        return facts
    summary = view.summary
    facts += [
        ("images", f"{summary['n_train']:,} for training, {summary['n_val']:,} for validation"),
        ("time", duration(summary["wall_seconds"])),
    ]
    hardware = ", ".join(f"{key} {value}" for key, value in summary["hardware"].items())
    versions = ", ".join(f"{key} {value}" for key, value in summary["versions"].items())
    return [*facts, ("hardware", hardware), ("versions", versions)]
