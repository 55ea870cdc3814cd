"""Figures of a run and of a comparison, drawn from run directories."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from deepstdp.comparison.trials import UNTRAINED
from deepstdp.examples import load_examples
from deepstdp.files import Record, whole
from deepstdp.run_dir import RunDir

# Okabe and Ito's colours, which colour-blind readers can tell apart; in the place of their black,
# which a dark page swallows, Tol's olive.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999933")
_MOSAIC_ROWS, _MOSAIC_COLUMNS = 16, 10
_PANELS: tuple[tuple[str, str, float], ...] = (
    ("linear_probe_accuracy", "linear probe accuracy (%)", 100),
    ("knn_accuracy", "k-NN accuracy (%)", 100),
    ("nmi_labels", "NMI(clusters, labels)", 1),
    ("assignment_stability", "images that keep their cluster (%)", 100),
)


def save_run_figures(run: RunDir) -> list[Path]:
    """Draw ``curves.png`` and ``clusters.png`` into the run's ``figures`` folder."""
    folder = run.path / "figures"
    folder.mkdir(exist_ok=True)
    summary = run.summary()
    assert summary is not None
    made = []
    if len(run.metrics()) > 1:
        figure = draw_curves({summary["method"]: [run.metrics()]}, summary["untrained"])
        made.append(save_figure(figure, folder / "curves.png"))
    examples = load_examples(run)
    if examples is not None:
        mosaic = draw_mosaic(examples.images, examples.clusters)
        made.append(save_figure(mosaic, folder / "clusters.png"))
    return made


def save_comparison_figure(
    runs: Mapping[str, Sequence[RunDir]], untrained: Record, out: Path
) -> Path:
    """Draw ``comparison.png``: all methods, mean and range over seeds."""
    curves = {name: [run.metrics() for run in of_name] for name, of_name in runs.items()}
    curves = {name: of_name for name, of_name in curves.items() if len(of_name[0]) > 1}
    return save_figure(draw_curves(curves, untrained), out / "comparison.png")


def draw_curves(
    curves: Mapping[str, Sequence[Sequence[Record]]],
    untrained: Record,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Accuracies, NMI and stability over epochs.

    Args:
        curves: for each method, the metrics of each seed.
        untrained: metrics of the untrained network, drawn as a dashed line.
        colours: of the methods; those of ``colours_of`` if they are not given.
    """
    colours = colours or colours_of(curves)
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 2)
    for axis, (key, title, scale) in zip(axes.flat, _PANELS, strict=True):
        for name, of_seeds in curves.items():
            _draw_band(axis, name, of_seeds, key, scale, colours[name])
        if untrained.get(key) is not None:
            level = scale * untrained[key]
            axis.axhline(level, color="gray", linestyle="--", label=UNTRAINED)
        axis.set(title=title, xlabel="epoch")
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.spines[["top", "right"]].set_visible(False)
        if not axis.lines:
            axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, ha="center")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def draw_mosaic(images: UInt8[np.ndarray, "n c h w"], clusters: Int64[np.ndarray, "n"]) -> Figure:
    """One row a cluster, in the order in which they come, as many as fit on a page."""
    order = list(dict.fromkeys(clusters.tolist()))[:_MOSAIC_ROWS]
    members = {cluster: images[clusters == cluster][:_MOSAIC_COLUMNS] for cluster in order}
    n_columns = max(len(part) for part in members.values())
    figure = Figure(figsize=(n_columns * 0.8 + 1, len(order) * 0.8), layout="constrained")
    grid = figure.subplots(len(order), n_columns, squeeze=False)
    for row, cluster in zip(grid, order, strict=True):
        for axis in row:
            axis.set_axis_off()
        for axis, image in zip(row, members[cluster], strict=False):
            axis.imshow(image.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255)
        row[0].text(-0.15, 0.5, str(cluster), transform=row[0].transAxes, ha="right", va="center")
    figure.suptitle("Examples of the largest clusters", fontsize=11)
    return figure


def _draw_band(
    axis: Axes,
    name: str,
    of_seeds: Sequence[Sequence[Record]],
    key: str,
    scale: float,
    colour: str,
) -> None:
    """Mean over seeds, and the range between the lowest and the highest."""
    epochs = [r["epoch"] for r in of_seeds[0] if r.get(key) is not None]
    if not epochs:
        return
    rows = [[scale * r[key] for r in seed if r.get(key) is not None] for seed in of_seeds]
    table = np.array(rows)
    axis.plot(epochs, table.mean(axis=0), color=colour, label=name)
    if len(table) > 1:
        low, high = table.min(axis=0), table.max(axis=0)
        axis.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)


def colours_of(methods: Iterable[str]) -> dict[str, str]:
    """A colour for each method, by its place; the untrained network is gray, as its line is."""
    trained = [name for name in methods if name != UNTRAINED]
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(trained)}
    return colours | {UNTRAINED: "gray"}


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure, and return where."""
    for text in _named_by_users(figure):
        text.set_parse_math(False)  # a dollar in it begins no formula
    with whole(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix[1:], dpi=110)
    return path


def _named_by_users(figure: Figure) -> Iterator[Text]:
    """Titles and legends."""
    yield from figure.texts
    for axes in figure.axes:
        yield axes.title
    for legend in figure.findobj(Legend):
        yield from legend.get_texts()
