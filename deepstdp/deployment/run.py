"""A run's ConvNet converted, measured and written down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.accuracy import clusters_of, compare_clusters
from deepstdp.deployment.all_spiking import AllSpiking, neurons_of
from deepstdp.deployment.energy import energy, energy_after_convnet
from deepstdp.deployment.layer_measures import measure_layers
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.reduction import SpikingReduction
from deepstdp.deployment.saved import CLUSTERS, NETWORK, save_clusters, save_network
from deepstdp.deployment.source import Source
from deepstdp.errors import UserError
from deepstdp.files import Record, write_json
from deepstdp.inference import NONE
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir

RECORD = "conversion.json"
"""What was found; beside the networks (see ``saved``)."""

MOST_COUNTED = 256
"""Validation images whose operations and layer errors are counted: every n-th."""


@dataclass(frozen=True)
class Converted:
    """What a run becomes.

    Attributes:
        network: the ConvNet in spikes.
        pipeline: from the image to the cluster in spikes, after learning from spikes if that was
            asked for; None if the run has no STDP neurons.
        record: how far it does what the run does, and what it costs.
    """

    network: SpikingNetwork
    pipeline: AllSpiking | None
    record: Record


def convert_run(
    run: RunDir,
    config: ConversionConfig,
    out: Path,
    progress: Progress = SILENT,
    other_data: Mapping[str, Any] = NONE,
) -> Record:
    """Convert a finished run and say what it costs.

    Args:
        run: stays as it is.
        config: how.
        out: folder for the spiking network, what follows it up to the cluster, and
            ``conversion.json``.
        progress: follows the work.
        other_data: settings of ``DataConfig`` that differ from the run's.

    Returns:
        What ``conversion.json`` holds.

    Raises:
        UserError: see ``Source.open``, or the run has no STDP neurons that could learn.
    """
    source = Source.open(run, progress, other_data)
    converted = convert_and_measure(source, config, progress)
    out.mkdir(parents=True, exist_ok=True)
    for name in (RECORD, CLUSTERS):  # of an earlier conversion; the record comes last
        (out / name).unlink(missing_ok=True)
    save_network(out / NETWORK, converted.network)
    if converted.pipeline is not None:
        save_clusters(out / CLUSTERS, converted.pipeline, run.fingerprint())
    write_json(out / RECORD, converted.record)
    return converted.record


def convert_and_measure(
    source: Source, config: ConversionConfig, progress: Progress = SILENT
) -> Converted:
    """The spiking network, and how far it does what the run does; nothing is written."""
    clusterer, neurons = source.model.clusterer, neurons_of(source.model)
    if config.learn and neurons is None:
        method = source.config.clustering.method
        raise UserError(
            f"learn: the clusters of this run are by {method}, not by STDP neurons that take "
            "features as they are (clustering.stdp.encoding direct or auto)"
        )
    with progress.busy("fitting thresholds and biases"):
        network, fits = source.convert(config)
    shown, steps = source.shown_val(), _steps(config.timesteps)
    few = _few(shown)
    with progress.busy("spiking network"):
        spiking = dict(zip(steps, network.features(shown, steps), strict=True))
        measured = measure_layers(network, source.connections, few, steps)
    with progress.busy("the ConvNet's features"):
        compared = source.compare(spiking)
    costs = [energy(of, n, config.weight_bits) for n, of in zip(steps, measured, strict=True)]
    for point, cost in zip(compared["curve"], costs, strict=True):
        point["energy"] = cost
    at = steps.index(config.timesteps)
    record = {
        "config": asdict(config),
        "n_images": len(shown),
        "n_counted": len(few),
        **compared,
        "layers": [
            {"fit": asdict(fit), "validation": asdict(layer)}
            for fit, layer in zip(fits, measured[at], strict=True)
        ],
        "energy": costs[at],
    }
    if neurons is None:
        if isinstance(clusterer, STDPPseudoLabels):
            progress.line(
                f"the STDP neurons of this run take features by encoding {clusterer.encoding}, not "
                "as they are (direct): nothing is spikes from end to end"
            )
        return Converted(network, None, record)
    pipeline, record["end_to_end"] = _end_to_end(source, neurons, network, shown, config, progress)
    return Converted(network, pipeline, record)


def _end_to_end(
    source: Source,
    neurons: STDPPseudoLabels,
    network: SpikingNetwork,
    shown: Float[Tensor, "n c h w"],
    config: ConversionConfig,
    progress: Progress,
) -> tuple[AllSpiking, Record]:
    """The clusters by spikes alone, before and after learning from spikes."""
    model = source.model
    few = source.fitted_features(config)
    scale, gain = network.layers[-1].scale, neurons.gain
    reduction = SpikingReduction.fit(model.reducer, few, scale, gain)
    pipeline = AllSpiking(network, reduction, neurons, config.timesteps)
    float_clusters = clusters_of(model, source.val_features)
    assert float_clusters is not None
    with progress.busy("spikes from end to end"):
        before = pipeline.clusters(shown).cpu().numpy()
    record = compare_clusters(before, float_clusters, source.truth)
    operations = pipeline.operations(_few(shown))
    record["operations"] = asdict(operations)
    macs, in_whole_numbers = reduction.weight.numel(), neurons.config.fixed_point
    record["microjoules"] = energy_after_convnet(operations, macs, in_whole_numbers)
    if not config.learn:
        return pipeline, record
    with progress.busy("learning from spikes"):
        for n_pass in range(1, config.learn + 1):
            pipeline = pipeline.learnt(source.shown_train(config, n_pass))
    after = pipeline.clusters(shown).cpu().numpy()
    record["after_learning"] = compare_clusters(after, float_clusters, source.truth)
    record["after_learning"]["kept"] = float((after == before).mean())
    return pipeline, record


def _few(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "m c h w"]:
    return images[:: -(-len(images) // MOST_COUNTED)]


def _steps(timesteps: int) -> list[int]:
    """Powers of two up to twice T, and T itself."""
    powers = {2**i for i in range(2, 20) if 2**i <= 2 * timesteps}
    return sorted(powers | {timesteps})
