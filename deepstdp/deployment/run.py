"""A run's ConvNet converted, measured and written down."""

from dataclasses import asdict
from pathlib import Path

import torch

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.accuracy import compare
from deepstdp.deployment.end_to_end import SpikingReduction, spiking_clusters
from deepstdp.deployment.energy import energy
from deepstdp.deployment.layer_measures import measure_layers
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.saved import save_network
from deepstdp.deployment.source import Source
from deepstdp.files import Record, write_json
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir

NETWORK, RECORD = "network.safetensors", "conversion.json"
"""What ``convert_run`` leaves in its folder."""

MOST_COUNTED = 256
"""Validation images whose operations and layer errors are counted: every n-th."""


def convert_run(
    run: RunDir, config: ConversionConfig, out: Path, progress: Progress = SILENT
) -> Record:
    """Convert a finished run and say what it costs.

    Args:
        run: stays as it is.
        config: how.
        out: folder for the spiking network and ``conversion.json``.
        progress: follows the work.

    Returns:
        What ``conversion.json`` holds.

    Raises:
        UserError: see ``Source.open``.
    """
    out.mkdir(parents=True, exist_ok=True)
    source = Source.open(run, progress)
    network, record = convert_and_measure(source, config, progress)
    save_network(out / NETWORK, network)
    write_json(out / RECORD, record)
    return record


def convert_and_measure(
    source: Source, config: ConversionConfig, progress: Progress = SILENT
) -> tuple[SpikingNetwork, Record]:
    """The spiking network, and how far it does what the ConvNet does; nothing is written."""
    with progress.busy("fitting thresholds and biases"):
        network, fits = source.convert(config)
    shown, steps = source.shown_val(), _steps(config.timesteps)
    few = shown[:: -(-len(shown) // MOST_COUNTED)]
    with progress.busy("spiking network"):
        spiking = dict(zip(steps, network.features(shown, steps), strict=True))
        layers = measure_layers(network, source.chain, few, config.timesteps)
    with progress.busy("the ConvNet's features"):
        train, val = source.train_features, source.val_features
    evaluation = source.config.evaluation
    clusterer = source.model.clusterer
    with progress.busy("spikes from end to end"):
        clusters = None
        if isinstance(clusterer, STDPPseudoLabels):
            some = train[torch.from_numpy(source.fitted_rows(config))]
            reduction = SpikingReduction.fit(
                source.model.reducer, some, network.layers[-1].scale, clusterer.gain
            )
            clusters = spiking_clusters(network, reduction, clusterer, shown, config.timesteps)
    return network, {
        "config": asdict(config),
        "n_images": len(val),
        "n_counted": len(few),
        **compare(source.model, train, val, spiking, clusters, source.truth, evaluation),
        "layers": [
            {"fit": asdict(fit), "validation": asdict(layer)}
            for fit, layer in zip(fits, layers, strict=True)
        ],
        "energy": energy(layers, config.timesteps),
    }


def _steps(timesteps: int) -> list[int]:
    """Powers of two up to twice T, and T itself."""
    powers = {2**i for i in range(2, 20) if 2**i <= 2 * timesteps}
    return sorted(powers | {timesteps})
