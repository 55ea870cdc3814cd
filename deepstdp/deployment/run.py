"""A run's ConvNet converted, measured and written down."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.config.deployment import ConversionConfig
from deepstdp.data import ImageSet, load_dataset
from deepstdp.deployment.accuracy import compare, layer_errors
from deepstdp.deployment.conversion import convert
from deepstdp.deployment.energy import count, energy
from deepstdp.deployment.folding import fold
from deepstdp.deployment.saved import save_network
from deepstdp.evaluation.measure import Truth
from deepstdp.features import held_rows
from deepstdp.files import Record, write_json
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.model import FEATURE_BATCH, load_model
from deepstdp.pipeline import truth_of
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir

NETWORK, RECORD = "network.safetensors", "conversion.json"
"""What ``convert_run`` leaves in its folder."""

MOST_MEASURED, MOST_COUNTED = 5_000, 256
"""Validation images that are measured on, and those whose operations are counted; of more, some
at random."""


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
        UserError: the run is unfinished, its images are not there, or its network has layers that
            no spiking neuron stands for.
    """
    model, shape = load_model(run)
    own = run.config()
    dataset = load_dataset(own.data, own.seed, progress).to(model.device)
    with torch.no_grad():
        front_end = model.network.front_end.eval()
        channels, height, width = front_end(torch.zeros(1, *shape, device=model.device))[0].shape
        chain = fold(model.network.backbone, (channels, height, width))
        order = numpy_generator(config.seed, Stream.CALIBRATION).permutation(len(dataset.train))
        some = _shown(dataset.train, front_end, np.sort(order[: config.n_images]))
        with progress.busy("fitting thresholds and biases"):
            network, fits = convert(chain, some, config)
        rows = held_rows(len(dataset.val), MOST_MEASURED, config.seed)
        shown = _shown(dataset.val, front_end, rows)
        few = shown[:MOST_COUNTED]
        with progress.busy("spiking network"):
            spiking = network.features(shown, _steps(config.timesteps))
            errors = layer_errors(network, chain, few, config.timesteps)
            counts = count(network, few, config.timesteps)
    train = model.features(dataset.train.images, progress)
    val = model.features(dataset.val.images, progress, torch.from_numpy(rows))
    truth = truth_of(dataset)
    truth = truth and Truth(truth.train, truth.val[rows])
    by_steps = dict(zip(_steps(config.timesteps), spiking, strict=True))
    record = {
        "config": asdict(config),
        "n_images": len(rows),
        **compare(model, train, val, by_steps, truth, own.evaluation),
        "layers": [
            asdict(fit) | {"validation_error": error}
            for fit, error in zip(fits, errors, strict=True)
        ],
        "energy": energy(counts, config.timesteps),
    }
    out.mkdir(parents=True, exist_ok=True)
    save_network(out / NETWORK, network)
    write_json(out / RECORD, record)
    return record


def _shown(
    images: ImageSet, front_end: Callable[[Tensor], Tensor], rows: np.ndarray
) -> Float[Tensor, "m c h w"]:
    """Images behind the front end."""
    parts = list(torch.from_numpy(rows).split(FEATURE_BATCH))
    return torch.cat([front_end(part.float() / 255) for part in images.images.batches(parts)])


def _steps(timesteps: int) -> list[int]:
    """Powers of two up to twice T, and T itself."""
    powers = {2**i for i in range(2, 20) if 2**i <= 2 * timesteps}
    return sorted(powers | {timesteps})
