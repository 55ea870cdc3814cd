"""Figures of a study, drawn from its results alone."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepstdp.comparison.trials import UNTRAINED
from deepstdp.files import Record
from deepstdp.report.figures import colours_of, draw_curves, save_figure

_PANEL_WIDTH, _ROW_HEIGHT, _MOST_COLUMNS = 5.5, 0.3, 2


def save_study_figures(record: Record, out: Path) -> list[Path]:
    """Draw ``<name>-<subset>.png``, the accuracies, and ``-curves.png``, how they came about.

    Of several panels each has curves of its own, numbered.
    """
    made = []
    for name, subset in record["subsets"].items():
        path = out / f"{record['name']}-{name}.png"
        made.append(save_figure(draw_panels(subset, record["panels"], record["title"]), path))
        untrained = {k: v["mean"] for k, v in _untrained(subset).items() if isinstance(v, dict)}
        for number, variants in enumerate(record["panels"].values(), 1):
            trials = {v: subset["trials"][v] for v in variants if v in subset["trials"]}
            curves = {v: _epochs(of_seeds) for v, of_seeds in trials.items()}
            curves = {v: of_seeds for v, of_seeds in curves.items() if len(of_seeds[0]) > 1}
            which = f"-{number}" if len(record["panels"]) > 1 else ""
            target = path.with_name(f"{path.stem}-curves{which}.png")
            made.append(
                save_figure(draw_curves(curves, untrained, _colours(subset, list(trials))), target)
            )
    return made


def draw_panels(subset: Record, panels: Mapping[str, Sequence[str]], title: str) -> Figure:
    """Linear probe of the variants, panel by panel: each seed, mean and 95 % interval.

    The dashed line and its band are the untrained network's mean and interval.
    """
    n_columns = min(_MOST_COLUMNS, len(panels))
    n_rows = math.ceil(len(panels) / n_columns)
    longest = max(len(variants) for variants in panels.values())
    size = (_PANEL_WIDTH * n_columns + 1, (_ROW_HEIGHT * longest + 1.0) * n_rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    axes = list(figure.subplots(n_rows, n_columns, squeeze=False, sharex=True).flat)
    for axis, (name, variants) in zip(axes, panels.items(), strict=False):
        _draw_panel(axis, subset, [v for v in variants if v in subset["trials"]])
        axis.set_title(name, fontsize=10)  # nothing for a single panel without a name
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.supxlabel("linear probe accuracy (%)", fontsize=10)
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_panel(axis: Axes, subset: Record, variants: Sequence[str]) -> None:
    methods = subset["comparison"]["methods"]
    if _untrained(subset)["linear_probe_accuracy"]["mean"] is None:  # images without labels
        axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, ha="center")
        return
    _draw_level(axis, _untrained(subset)["linear_probe_accuracy"])
    colours = _colours(subset, variants)
    for row, name in enumerate(variants):
        values = [100 * t["final"]["linear_probe_accuracy"] for t in subset["trials"][name]]
        colour = colours[name]
        axis.plot(values, [row] * len(values), "o", color=colour, alpha=0.35, markersize=4)
        mean, ci95 = (methods[name]["linear_probe_accuracy"][key] for key in ("mean", "ci95"))
        ends = [[0], [0]] if ci95 is None else [[100 * (mean - ci95[0])], [100 * (ci95[1] - mean)]]
        axis.errorbar([100 * mean], [row], xerr=ends, fmt="s", color=colour, capsize=3)
    axis.set_yticks(range(len(variants)), variants)
    axis.set_ylim(len(variants) - 0.5, -0.5)
    axis.tick_params(labelbottom=True)
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_level(axis: Axes, level: Mapping[str, Any]) -> None:
    if level["ci95"] is not None:
        low, high = (100 * end for end in level["ci95"])
        axis.axvspan(low, high, color="gray", alpha=0.15, linewidth=0)
    axis.axvline(100 * level["mean"], color="gray", linestyle="--", label=UNTRAINED)


def _colours(subset: Record, variants: Sequence[str]) -> dict[str, str]:
    """A colour for each variant of a panel; the baseline has the same in all of them."""
    baseline = subset["comparison"]["baseline"]
    return colours_of(sorted(variants, key=lambda name: name != baseline))


def _untrained(subset: Record) -> Record:
    return subset["comparison"]["methods"][UNTRAINED]


def _epochs(trials: Sequence[Record]) -> list[list[Record]]:
    """The curves of each trial as one record an epoch."""
    curves = [{k: v for k, v in t["curves"].items() if k != "seconds"} for t in trials]
    if all(set(of_one["nmi_labels"]) == {1.0} for of_one in curves):  # the labels themselves
        nothing = [None] * len(curves[0]["epoch"])
        curves = [c | {"nmi_labels": nothing, "assignment_stability": nothing} for c in curves]
    return [
        [dict(zip(of_one, row, strict=True)) for row in zip(*of_one.values(), strict=True)]
        for of_one in curves
    ]
