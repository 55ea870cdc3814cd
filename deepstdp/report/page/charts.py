"""What all charts of the page share: colours, names that are text, JSON for the browser."""

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from deepstdp.report.figures import COLOURS

GRAY = "#888888"


@dataclass(frozen=True)
class Chart:
    """A chart and what is said below it.

    Attributes:
        title: above it.
        figure: what plotly draws, as JSON.
        height: in pixels, kept free until it is drawn, so that nothing moves then.
        note: how to read it.
        wide: whether it takes a row of its own.
    """

    title: str
    figure: str
    height: int
    note: str = ""
    wide: bool = False


def chart(
    title: str,
    figure: go.Figure,
    x: str,
    y: str,
    note: str = "",
    *,
    wide: bool = False,
    **layout: Any,
) -> Chart:
    """A figure with the page's layout; the page itself sets what depends on light and dark."""
    figure.update_layout(
        template="none",
        margin={"l": 55, "r": 10, "t": 10, "b": 45},
        height=300,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        colorway=COLOURS,
    )
    figure.update_xaxes(title=x, zeroline=False)
    figure.update_yaxes(title=y, zeroline=False)
    figure.update_layout(**layout)
    return Chart(title, figure.to_json(), figure.layout.height, note, wide)


def over_epochs(title: str, figure: go.Figure, y: str, note: str = "") -> Chart:
    """A chart over epochs, whose cursor reads all lines at once."""
    last = max((x for trace in figure.data for x in trace.x if x is not None), default=1)
    figure.update_xaxes(dtick=max(1, round(last / 6)))
    return chart(title, figure, "epoch", y, note, hovermode="x unified")


def text(name: object) -> str:
    """A name as plotly shows it: plotly takes tags for markup, and this is none."""
    return escape(str(name), quote=False)


def script_json(value: Any) -> str:
    """JSON that stays inside its ``script`` element, whatever names are in it."""
    dumped = value if isinstance(value, str) else json.dumps(value)
    return dumped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
