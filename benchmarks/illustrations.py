"""Figures that explain: python -m benchmarks.illustrations [--out docs/figures]."""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from benchmarks.hardware import FIGURES
from deepstdp.clustering import STDPPseudoLabels, build_clusterer
from deepstdp.config import ClusteringConfig, ReductionConfig
from deepstdp.features import Reducer
from deepstdp.report.figures import COLOURS, save_figure

N_LINES = 5
"""Membranes that are drawn."""


def spiking_layer() -> Figure:
    """Input spikes and membranes as one whitened digit is presented to a layer that has learnt."""
    pixels = torch.from_numpy(load_digits().data.astype(np.float32))
    reduced = Reducer(ReductionConfig(n_components=32)).fit_transform(pixels)
    clusterer = build_clusterer(ClusteringConfig(n_clusters=30), seed=0)
    assert isinstance(clusterer, STDPPseudoLabels)
    clusterer.fit_predict(reduced)
    recording = clusterer.record(reduced[:1], torch.tensor([0]))
    spikes, winners = recording.inputs[0].numpy(), recording.winners[0].numpy()
    potentials = recording.potentials[0].numpy()
    figure = Figure(figsize=(7, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    steps, channels = spikes.nonzero()
    above.scatter(steps, channels, s=8, marker="|", color="black")
    above.set_ylabel("input channel")
    counts = recording.counts(0)
    for colour, neuron in zip(COLOURS, recording.busiest(0, N_LINES), strict=False):
        label = f"neuron {neuron}: {counts[neuron]} spikes"
        below.plot(potentials[:, neuron], color=colour, label=label)
        fired = np.flatnonzero(winners == neuron)
        below.plot(fired, potentials[fired, neuron], "o", color=colour, markersize=4)
    below.axhline(1, color="black", linewidth=0.8, linestyle="--")
    below.set(xlabel="time step", ylabel="membrane / threshold")
    below.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def main() -> None:
    """Draw all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FIGURES)
    out = parser.parse_args().out
    print(save_figure(spiking_layer(), out / "spiking-layer.png"))


if __name__ == "__main__":
    main()
