"""The reduced features of the examples in two dimensions, by t-SNE."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float32
from sklearn.manifold import TSNE

from deepstdp.examples import Examples
from deepstdp.report.page.charts import Chart, chart, text

_FEWEST = 10
"""Points below which a map shows nothing."""


def map_chart(examples: Examples, class_names: list[str], seed: int) -> Chart | None:
    """A point an example; the page colours them by cluster or by label and shows the image."""
    if len(examples.reduced) < _FEWEST:
        return None
    places = embed(examples.reduced, seed)
    labels = [text(class_names[c]) if c >= 0 else "" for c in examples.classes]
    described = [
        f"cluster {cluster}" + (f", {label}" if label else "")
        for cluster, label in zip(examples.clusters, labels, strict=True)
    ]
    # Neighbouring numbers mean nothing: they get distant colours.
    colours = {
        "cluster": [(int(c) * 0.618034) % 1 for c in examples.clusters],
        "label": [(int(c) * 0.618034) % 1 for c in examples.classes],
    }
    figure = go.Figure(
        go.Scatter(
            x=np.round(places[:, 0], 2),
            y=np.round(places[:, 1], 2),
            mode="markers",
            marker={
                "size": 6,
                "color": colours["cluster"],
                "colorscale": "HSV",
                "cmin": 0,
                "cmax": 1,
                "opacity": 0.8,
            },
            text=described,
            hovertemplate="%{text}<extra></extra>",
            meta=colours,
        )
    )
    figure.update_xaxes(showticklabels=False)
    figure.update_yaxes(showticklabels=False, scaleanchor="x")
    note = (
        f"t-SNE of the reduced features of {len(places)} training images, chosen cluster by "
        "cluster. Distances between far groups mean nothing."
    )
    return chart("Map of the features", figure, "", "", note, wide=True, height=520)


def embed(features: Float32[np.ndarray, "n p"], seed: int) -> Float32[np.ndarray, "n 2"]:
    """t-SNE (van der Maaten and Hinton 2008), started from principal components."""
    perplexity = min(30.0, (len(features) - 1) / 3)
    start = "pca" if min(features.shape) > 1 else "random"
    return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(features)
