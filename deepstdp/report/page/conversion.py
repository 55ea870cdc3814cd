"""What ``deepstdp convert`` found: accuracy and agreement over time, and energy."""

import plotly.graph_objects as go

from deepstdp.deployment.energy import cheapest_arithmetic
from deepstdp.files import Record
from deepstdp.report.figures import COLOURS
from deepstdp.report.page.charts import GRAY, Chart, chart


def conversion_charts(record: Record) -> list[Chart]:
    """Accuracy over T (with labels), agreement over T, energy over T, energy by arithmetic."""
    charts = [
        _accuracy(record),
        _agreement(record),
        _energy_over_time(record),
        _energy(record["energy"]),
    ]
    return [made for made in charts if made is not None]


def _over_time(figure: go.Figure, title: str, y: str, note: str = "") -> Chart:
    measured = figure.data[0].x
    figure.update_xaxes(type="log", tickvals=measured, ticktext=[str(t) for t in measured])
    return chart(title, figure, "time steps (T)", y, note, hovermode="x unified")


def _accuracy(record: Record) -> Chart | None:
    curve = [point for point in record["curve"] if "points" in point]
    if not curve:
        return None
    level = 100 * record["linear_probe_accuracy"]
    ends = [[level + end for end in point["points"]["ci95"]] for point in curve]
    values = [100 * point["linear_probe_accuracy"] for point in curve]
    figure = go.Figure(
        go.Scatter(
            x=[point["timesteps"] for point in curve],
            y=values,
            name="spiking",
            mode="lines+markers",
            error_y={
                "array": [high - y for (_, high), y in zip(ends, values, strict=True)],
                "arrayminus": [y - low for (low, _), y in zip(ends, values, strict=True)],
                "thickness": 1,
            },
            hovertemplate="%{y:.1f} %",
        )
    )
    figure.add_hline(y=level, line={"dash": "dash", "color": GRAY})
    note = "Dashed: the ConvNet. Bars: 95 % intervals of the paired difference."
    return _over_time(figure, "Linear probe of the spiking network", "accuracy (%)", note)


def _agreement(record: Record) -> Chart | None:
    figure = go.Figure()
    for key, name in (("probe_agreement", "same class"), ("cluster_agreement", "same cluster")):
        points = [point for point in record["curve"] if key in point]
        if points:
            figure.add_scatter(
                x=[point["timesteps"] for point in points],
                y=[100 * point[key] for point in points],
                name=name,
                mode="lines+markers",
                hovertemplate="%{y:.1f} %",
            )
    if not figure.data:
        return None
    note = ""
    if record.get("retest_agreement") is not None:
        level = 100 * record["retest_agreement"]
        figure.add_hline(y=level, line={"dash": "dash", "color": GRAY})
        note = "Dashed: what the float pipeline itself repeats under other spikes."
    return _over_time(figure, "Agreement with the ConvNet", "images (%)", note)


_KINDS = (("spiking", "spiking"), ("spiking_held", "spiking, input held"), ("convnet", "ConvNet"))
_COSTS = "Operations at their cost in 45 nm (Horowitz 2014); memory is not counted."


def _energy_over_time(record: Record) -> Chart | None:
    """In the cheapest arithmetic that the weights allow."""
    points = [point for point in record["curve"] if "energy" in point]
    if not points:  # of older versions
        return None
    name = cheapest_arithmetic(record["energy"])
    figure = go.Figure()
    for (key, kind), colour in zip(_KINDS[:2], COLOURS, strict=False):
        figure.add_scatter(
            x=[point["timesteps"] for point in points],
            y=[point["energy"]["microjoules"][name][key] for point in points],
            name=kind,
            mode="lines+markers",
            line={"color": colour},
            hovertemplate="%{y:.3g} µJ",
        )
    level = record["energy"]["microjoules"][name]["convnet"]
    figure.add_hline(y=level, line={"dash": "dash", "color": GRAY})
    figure.update_yaxes(rangemode="tozero")
    return _over_time(
        figure, f"Energy of an image over time ({name})", "µJ", f"Dashed: the ConvNet. {_COSTS}"
    )


def _energy(energy: Record) -> Chart:
    names = list(energy["microjoules"])
    figure = go.Figure()
    for (key, name), colour in zip(_KINDS, COLOURS, strict=False):
        values = [energy["microjoules"][of][key] for of in names]
        figure.add_bar(
            x=names, y=values, name=name, marker={"color": colour}, hovertemplate="%{y:.3g} µJ"
        )
    title = "Energy of an image"
    return chart(
        title, figure, "arithmetic", "µJ", _COSTS, yaxis_rangemode="tozero", barmode="group"
    )
