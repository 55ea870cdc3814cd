"""The cluster explorer: thumbnails of the images of each cluster, and what they are of."""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Int64, UInt8
from PIL import Image

from deepstdp.examples import UNKNOWN, Examples
from deepstdp.report.page.charts import Chart, chart, text

MOST_CLUSTERS = 200
"""Clusters that are shown, the largest ones."""

_THUMBNAIL, _QUALITY = 40, 75
"""Pixels a side of a thumbnail, and WebP's quality."""


@dataclass(frozen=True)
class Sprite:
    """All thumbnails in one picture.

    Attributes:
        url: the picture, as a data URL.
        columns: thumbnails in a row.
        rows: rows of them.
    """

    url: str
    columns: int
    rows: int

    def place(self, index: int) -> str:
        """Where a thumbnail lies, as CSS's ``background-position``."""
        x, y = index % self.columns, index // self.columns
        across = 100 * x / max(1, self.columns - 1)
        return f"{across:.4f}% {100 * y / max(1, self.rows - 1):.4f}%"


@dataclass(frozen=True)
class Cluster:
    """A row of the explorer.

    Attributes:
        number: of the cluster.
        size: training images in it.
        purity: share of its most frequent class; None without labels.
        most: that class's name.
        images: (title, place in the sprite) of each of its examples.
    """

    number: int
    size: int
    purity: float | None
    most: str
    images: list[tuple[str, str]]


def make_sprite(images: UInt8[np.ndarray, "n c h w"], columns: int | None = None) -> Sprite:
    """Thumbnails side by side, nearly a square of them where the columns are not said."""
    n, channels = len(images), images.shape[1]
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    sheet = Image.new("RGB", (columns * _THUMBNAIL, rows * _THUMBNAIL))
    for i, image in enumerate(images):
        pixels = image[0] if channels == 1 else image.transpose(1, 2, 0)
        picture = Image.fromarray(pixels).convert("RGB")
        small = picture.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR)
        sheet.paste(small, (i % columns * _THUMBNAIL, i // columns * _THUMBNAIL))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=_QUALITY)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return Sprite(f"data:image/webp;base64,{encoded}", columns, rows)


def explore(examples: Examples, class_names: list[str], sprite: Sprite) -> list[Cluster]:
    """The clusters, the largest first."""
    found = []
    for number in examples.largest_first[:MOST_CLUSTERS]:
        counts = examples.contingency[number]
        known, most = bool(class_names), int(counts.argmax())
        members = np.flatnonzero(examples.clusters == number)
        images = [(_title(examples, i, class_names), sprite.place(i)) for i in members.tolist()]
        found.append(
            Cluster(
                number=number,
                size=int(counts.sum()),
                purity=float(counts[most] / counts.sum()) if known else None,
                most=class_names[most] if known else "",
                images=images,
            )
        )
    return found


def _title(examples: Examples, index: int, class_names: list[str]) -> str:
    number, label = int(examples.rows[index]), int(examples.classes[index])
    return f"image {number}" + (f", {class_names[label]}" if label != UNKNOWN else "")


def confusion_chart(contingency: Int64[np.ndarray, "k c"], class_names: list[str]) -> Chart | None:
    """The share of each class in each cluster; clusters of the same class beside each other."""
    if not class_names:
        return None
    largest = np.argsort(-contingency.sum(axis=1), kind="stable")[:MOST_CLUSTERS]
    table = contingency[largest]
    filled = table.sum(axis=1) > 0
    largest, table = largest[filled], table[filled]
    shares = table / table.sum(axis=1, keepdims=True)
    order = np.lexsort((-shares.max(axis=1), shares.argmax(axis=1)))
    figure = go.Figure(
        go.Heatmap(
            z=np.round(100 * shares[order].T, 1),
            x=largest[order].astype(str),
            y=[text(name) for name in class_names],
            colorscale="Viridis",
            colorbar={"title": "%", "thickness": 12},
            hovertemplate="cluster %{x}: %{z} % %{y}<extra></extra>",
        )
    )
    title = "Clusters and labels"
    note = "Each column is a cluster: what share of its images has which label."
    height = min(900, 160 + 22 * len(class_names))
    figure.update_xaxes(type="category", nticks=25)
    figure.update_yaxes(type="category", automargin=True, nticks=min(len(class_names), 33))
    return chart(title, figure, "cluster", "", note, wide=True, height=height)
