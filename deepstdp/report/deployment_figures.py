"""The figure of a conversion: what the spiking network tells after so many steps."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from deepstdp.files import Record
from deepstdp.report.figures import COLOURS, save_figure

_AGREEMENTS = (("probe_agreement", "same class"), ("cluster_agreement", "same cluster"))


def save_conversion_figure(record: Record, out: Path) -> Path:
    """Draw ``conversion.png``."""
    return save_figure(draw_conversion(record), out / "conversion.png")


def draw_conversion(record: Record) -> Figure:
    """Accuracy and agreement over T, the error of each layer, and the energy."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    accuracy, agreement, errors, energy = figure.subplots(2, 2).flat
    _draw_accuracy(accuracy, record)
    _draw_agreement(agreement, record)
    layers = record["layers"]
    numbers = range(1, len(layers) + 1)
    errors.bar(
        numbers, [layer["validation"]["relative_error"] for layer in layers], color=COLOURS[0]
    )
    errors.set(title=f"error of each layer at T = {record['config']['timesteps']}", xlabel="layer")
    errors.set_xticks(numbers)
    _draw_energy(energy, record["energy"])
    for axis in figure.axes:
        axis.grid(alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_accuracy(axis: Axes, record: Record) -> None:
    curve = [point for point in record["curve"] if "points" in point]
    if curve:
        level, steps = 100 * record["linear_probe_accuracy"], [p["timesteps"] for p in curve]
        axis.axhline(level, color="gray", linestyle="--", label="ConvNet")
        low, high = zip(*([level + end for end in p["points"]["ci95"]] for p in curve), strict=True)
        axis.fill_between(steps, low, high, color=COLOURS[0], alpha=0.2, linewidth=0)
        values = [100 * p["linear_probe_accuracy"] for p in curve]
        axis.plot(steps, values, "o-", color=COLOURS[0], label="spiking")
        axis.legend(frameon=False)
    else:
        axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, ha="center")
    axis.set(title="linear probe accuracy (%), band: paired 95 %")
    _time_axis(axis, record)


def _draw_agreement(axis: Axes, record: Record) -> None:
    steps = [point["timesteps"] for point in record["curve"]]
    for colour, (key, name) in zip(COLOURS, _AGREEMENTS, strict=False):
        if key in record["curve"][0]:
            values = [100 * point[key] for point in record["curve"]]
            axis.plot(steps, values, "o-", color=colour, label=name)
    if "retest_agreement" in record:
        level = 100 * record["retest_agreement"]
        axis.axhline(level, color="gray", linestyle="--", label="same cluster, float, retested")
    if axis.lines:
        axis.legend(frameon=False)
    axis.set(title="agreement with the ConvNet (%)")
    _time_axis(axis, record)


def _time_axis(axis: Axes, record: Record) -> None:
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_locator(FixedLocator([p["timesteps"] for p in record["curve"]]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.set_xlabel("time steps (T)")


def _draw_energy(axis: Axes, energy: Record) -> None:
    kinds = (("spiking", "spiking"), ("spiking_held", "input held"), ("convnet", "ConvNet"))
    names = list(energy["microjoules"])
    for i, (key, label) in enumerate(kinds):
        values = [energy["microjoules"][name][key] for name in names]
        places = [j + 0.27 * (i - 1) for j in range(len(names))]
        bars = axis.bar(places, values, 0.25, color=COLOURS[i], label=label)
        axis.bar_label(bars, fmt="%.3g", fontsize=8)
    axis.set_xticks(range(len(names)), names)
    axis.set(title="energy of an image (µJ), 45 nm")
    axis.legend(frameon=False)
