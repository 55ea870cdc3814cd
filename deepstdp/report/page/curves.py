"""Accuracy, NMI, stability and loss over epochs; methods side by side with bands over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from deepstdp.comparison.statistics import estimate
from deepstdp.comparison.summary import SMOOTHING
from deepstdp.evaluation.convergence import best
from deepstdp.report.figures import colours_of
from deepstdp.report.page.charts import GRAY, Chart, over_epochs, text
from deepstdp.report.reading import PROBE, RunView, baseline_of

Groups = Mapping[str, Sequence[RunView]]

_PANELS: tuple[tuple[str, str, str, float], ...] = (
    (PROBE, "Linear probe", "accuracy (%)", 100),
    ("knn_accuracy", "k-NN", "accuracy (%)", 100),
    ("nmi_labels", "NMI of clusters and labels", "NMI", 1),
    ("assignment_stability", "Images that keep their cluster", "share (%)", 100),
    ("loss", "Loss on the pseudo-labels", "cross-entropy", 1),
)


def curve_charts(groups: Groups) -> list[Chart]:
    """A chart for whatever was measured at two epochs or more."""
    made = (_panel(groups, *panel) for panel in _PANELS)
    return [panel for panel in made if panel is not None]


def _panel(groups: Groups, key: str, title: str, unit: str, scale: float) -> Chart | None:
    colours, figure = colours_of(groups), go.Figure()
    several = False
    for name, views in groups.items():
        epochs, table = _table(views, key, scale)
        if len(epochs) > 1:
            several |= len(table) > 1
            _add_band(figure, name, epochs, table, colours[name])
    if not figure.data:
        return None
    note = "Line: mean of the seeds; band: 95 % t-interval of the mean." if several else ""
    _add_untrained(figure, groups, key, scale)
    if key == PROBE:
        note = " ".join(part for part in (note, _add_iso_accuracy(figure, groups)) if part)
    return over_epochs(title, figure, unit, note)


def _table(views: Sequence[RunView], key: str, scale: float) -> tuple[list[int], np.ndarray]:
    """Rows of seeds, as far as all of them have come."""
    series = [found for view in views if (found := view.series(key))[0]]
    if not series:
        return [], np.empty((0, 0))
    length = min(len(epochs) for epochs, _ in series)
    rows = [values[:length] for _, values in series]
    return series[0][0][:length], scale * np.array(rows, dtype=float)


def _add_band(
    figure: go.Figure, name: str, epochs: list[int], table: np.ndarray, colour: str
) -> None:
    mean = table.mean(axis=0)
    if len(table) > 1:
        bands = [estimate(column.tolist())["ci95"] for column in table.T]
        low, high = np.array(bands).T
        figure.add_scatter(
            x=[*epochs, *epochs[::-1]],
            y=[*high, *low[::-1]],
            fill="toself",
            fillcolor=colour,
            opacity=0.15,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    line = {"color": colour}
    hover = "%{y:.2f}"
    figure.add_scatter(
        x=epochs, y=mean, mode="lines", name=text(name), line=line, hovertemplate=hover
    )


def _add_untrained(figure: go.Figure, groups: Groups, key: str, scale: float) -> None:
    values = [view.untrained.get(key) for views in groups.values() for view in views]
    mean = estimate(values)["mean"]
    if mean is not None:
        figure.add_hline(y=scale * mean, line={"dash": "dash", "color": GRAY}, name="untrained")
        figure.add_scatter(
            x=[None], y=[None], mode="lines", line={"dash": "dash", "color": GRAY}, name="untrained"
        )


def _add_iso_accuracy(figure: go.Figure, groups: Groups) -> str:
    """The level at which methods are compared: the highest of the baseline's smoothed curve."""
    base = baseline_of(groups)
    if len(groups) < 2 or base is None:
        return ""
    curves = [view.series(PROBE)[1] for view in groups[base]]
    levels = [100 * best(curve, SMOOTHING) for curve in curves if len(curve) > 1]
    if not levels:
        return ""
    style = {"dash": "dot", "color": GRAY}
    figure.add_hline(y=float(np.mean(levels)), line=style)
    name = text(f"{base}'s best, smoothed")
    figure.add_scatter(x=[None], y=[None], mode="lines", line=style, name=name)
    return f"Dotted: {base}'s best (iso-accuracy), the mean over seeds."
