"""The spiking layer at work: what some images make it do, and what it has learnt."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch

from deepstdp.clustering import STDPPseudoLabels, build_clusterer
from deepstdp.errors import UserError
from deepstdp.examples import Examples
from deepstdp.files import MISFITS, unprefixed
from deepstdp.report.figures import COLOURS
from deepstdp.report.page.charts import GRAY, Chart, chart, over_epochs
from deepstdp.report.reading import RunView
from deepstdp.spiking.recording import Recording

_MOST_SHOWN, _LINES, _MOST_NEURONS = 4, 6, 100
"""Images that are presented, membranes that are drawn of each, neurons whose synapses are drawn."""


@dataclass(frozen=True)
class Presented:
    """One image and what it does.

    Attributes:
        index: of the example.
        title: what it is.
        charts: its input spikes, and the membranes.
    """

    index: int
    title: str
    charts: list[Chart]


def open_layer(view: RunView) -> STDPPseudoLabels | None:
    """The spiking layer of a finished run; None where there is none.

    Raises:
        UserError: its file does not fit its config.
    """
    if view.method != "stdp" or view.summary is None:
        return None
    built = build_clusterer(view.config.clustering, view.config.seed)
    assert isinstance(built, STDPPseudoLabels)
    tensors, _ = view.run.load_tensors("clustering")
    try:
        built.load_state(unprefixed("clusterer", tensors))
        whole = built.layer.learnt.synapses.shape[0] == view.config.clustering.n_clusters
    except MISFITS:
        whole = False
    if not whole:
        raise UserError(f"{view.path / 'clustering.safetensors'} does not fit the run's config")
    return built


def present(layer: STDPPseudoLabels, examples: Examples) -> list[Presented]:
    """An image of each of the largest clusters, as the layer was shown it in the last epoch."""
    firsts = [
        int(np.flatnonzero(examples.clusters == c)[0]) for c in examples.largest_first[:_MOST_SHOWN]
    ]
    features = torch.from_numpy(examples.reduced[firsts])
    recording = layer.record(features, torch.from_numpy(examples.rows[firsts]))
    return [
        Presented(
            index=index,
            title=f"cluster {examples.clusters[index]}",
            charts=[_raster(recording, i), _membranes(recording, i)],
        )
        for i, index in enumerate(firsts)
    ]


def _raster(recording: Recording, i: int) -> Chart:
    steps, channels = recording.inputs[i].numpy().nonzero()
    figure = go.Figure()
    n_features = recording.inputs.shape[2] // 2
    for name, of_kind, colour in (
        ("on", channels < n_features, COLOURS[0]),
        ("off", channels >= n_features, COLOURS[1]),
    ):
        figure.add_scatter(
            x=steps[of_kind],
            y=channels[of_kind] % n_features,
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 5, "color": colour},
            name=name,
            hovertemplate="step %{x}, component %{y}",
        )
    note = (
        "A mark is a spike: a component above zero drives its on channel, below zero the off one."
    )
    return chart("Input spikes", figure, "time step", "component", note)


def _membranes(recording: Recording, i: int) -> Chart:
    """The neurons that come nearest to their thresholds, and who fires."""
    potentials, winners = recording.potentials[i].numpy(), recording.winners[i].numpy()
    figure = go.Figure()
    for rank, neuron in enumerate(recording.busiest(i, _LINES)):
        name, colour = f"neuron {neuron}", COLOURS[rank % len(COLOURS)]
        y = np.round(potentials[:, neuron], 3)
        figure.add_scatter(y=y, name=name, line={"color": colour, "width": 1.5})
        at = np.flatnonzero(winners == neuron)
        figure.add_scatter(
            x=at,
            y=y[at],
            mode="markers",
            marker={"symbol": "star", "size": 9, "color": colour},
            showlegend=False,
            hovertemplate="fires",
        )
    figure.add_hline(y=1, line={"dash": "dash", "color": GRAY})
    n_spikes = recording.counts(i).sum()
    note = f"Stars: spikes, {n_spikes} in all; dashed: the threshold. A spike resets the others."
    return chart("Membrane potentials", figure, "time step", "potential / threshold", note)


def layer_charts(view: RunView, layer: STDPPseudoLabels, examples: Examples) -> list[Chart]:
    """Thresholds and rates over epochs, thresholds now, and synapses."""
    charts = [_over_epochs(view), _thresholds(layer), _synapses(layer, examples)]
    return [made for made in charts if made is not None]


def _over_epochs(view: RunView) -> Chart | None:
    figure = go.Figure()
    for key, name, colour in (
        ("threshold_highest", "highest threshold", COLOURS[1]),
        ("threshold_mean", "mean threshold", COLOURS[0]),
        ("threshold_lowest", "lowest threshold", COLOURS[5]),
        ("firing_rate", "firing rate (spikes a step)", COLOURS[2]),
    ):
        epochs, values = view.series(key)
        if len(epochs) > 1:
            figure.add_scatter(x=epochs, y=values, name=name, line={"color": colour})
    if not figure.data:
        return None
    note = "Thresholds as shares of the one that all neurons began with."
    return over_epochs("Thresholds and firing rate", figure, "share, spikes a step", note)


def _thresholds(layer: STDPPseudoLabels) -> Chart:
    state = layer.layer.learnt
    values = (state.thresholds() / state.v_threshold).numpy()
    figure = go.Figure(go.Histogram(x=np.round(values, 4), marker={"color": COLOURS[0]}))
    x = "threshold / first threshold"
    return chart("Thresholds of the neurons", figure, x, "neurons", bargap=0.05)


def _synapses(layer: STDPPseudoLabels, examples: Examples) -> Chart | None:
    """On minus off, for each component: the field that a neuron looks for."""
    synapses = layer.layer.learnt.synapses
    if layer.encoding != "direct":
        return None
    on, off = synapses.chunk(2, dim=1)
    shown = np.argsort(-examples.sizes, kind="stable")[:_MOST_NEURONS]
    fields = (on - off).numpy()[shown]
    limit = float(np.abs(fields).max()) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=np.round(fields, 3),
            y=shown.astype(str),
            colorscale="RdBu",
            zmin=-limit,
            zmax=limit,
            colorbar={"thickness": 12},
            hovertemplate="neuron %{y}, component %{x}: %{z}<extra></extra>",
        )
    )
    figure.update_yaxes(type="category", nticks=20, autorange="reversed")
    note = "A row is a neuron, the largest cluster on top: its on synapses minus its off synapses."
    return chart("Synaptic fields", figure, "component", "neuron", note, wide=True, height=420)
