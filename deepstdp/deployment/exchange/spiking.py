"""The spiking network of a run as NIR, and the proof that simulators read it right."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.exchange.checks import Check, counts_check, kind_and_line
from deepstdp.deployment.exchange.dialects import Target, dialect
from deepstdp.deployment.exchange.nir_file import Expected, NIRFile, read_nir, write_nir
from deepstdp.deployment.exchange.readers import READERS, installed_version, read_and_run
from deepstdp.deployment.exchange.replay import replay
from deepstdp.deployment.inputs import Constant
from deepstdp.deployment.source import Source
from deepstdp.errors import UserError
from deepstdp.imports import require_extra
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir


def export_nir(
    run: RunDir, target: Target, config: ConversionConfig, out: Path, progress: Progress = SILENT
) -> str:
    """Convert a run for a reader and write it as NIR, with what the reader must find.

    Args:
        run: a finished run.
        target: a key of ``DIALECTS``.
        config: how to convert; whatever it says, neurons start at zero, the input is constant, and
            neurons fire as often in a step as the target's do.
        out: the ``.nir`` file.
        progress: follows the work.

    Returns:
        How to read the file.

    Raises:
        UserError: the target does not run the reset, or see ``Source.open``.
    """
    require_extra("nir", "exporting", "nir")
    chosen = dialect(target, config.reset)
    source = Source.open(run, progress)
    config = replace(config, start="zero", input="constant", multispike=chosen.multispike)
    with progress.busy("fitting thresholds and biases"):
        network, _ = source.convert(config)
    with progress.busy("spiking network"):
        batches = network.run(source.shown_val(), config.timesteps)
        counts = [
            answers[-1].sum(dim=1, dtype=torch.int64).permute(0, 3, 1, 2).flatten(1)
            for _, answers in batches
        ]
    info = {"target": target, "config": asdict(config)}
    info |= {"front_end": _front_end(source), "stdp": asdict(source.config.clustering.stdp)}
    found = np.concatenate([c.cpu().numpy() for c in counts])
    expected = Expected(source.val_names(), found)
    write_nir(out, network, chosen, config.timesteps, info, expected)
    return chosen.hint


def _front_end(source: Source) -> dict[str, object]:
    """How images become what the first layer receives."""
    state = source.model.network.front_end.state_dict()
    named = {name.split(".")[-1]: value for name, value in state.items()}
    return {
        "mean": named["mean"].tolist(),
        "std": named["std"].tolist(),
        "sobel": source.config.backbone.sobel,
    }


def verify_nir(path: Path, run: RunDir, progress: Progress = SILENT) -> list[Check]:
    """Replay the run's validation images through a file and compare spike counts.

    The graph is run node by node in NumPy, and by the reader that the file was written for, if it
    is installed.

    Args:
        path: what ``export_nir`` wrote.
        run: whose images.
        progress: follows the work.

    Raises:
        UserError: the file is none of ours, or its images are not the run's.
    """
    file = read_nir(path)
    expected = file.expected
    source = Source.open(run, progress)
    if source.val_names() != expected.names:
        raise UserError(f"{path} was made with other validation images than {run.path} has")
    n_neurons = math.prod(source.chain[-1].out_shape)
    if expected.counts.shape != (len(expected.names), n_neurons):
        wrong = " x ".join(map(str, expected.counts.shape))
        raise UserError(
            f"{path} has spike counts of {wrong}, not {len(expected.names)} x {n_neurons}"
        )
    code = file.code.encode(source.shown_val(), file.n_steps)
    assert isinstance(code, Constant)
    images = code.values.cpu().numpy()
    with progress.busy("replay in NumPy"):
        counts = replay(file.graph, images, file.n_steps, file.dt, file.reset, file.multispike)
    checks = [counts_check("NumPy", counts, expected.counts)]
    if file.target in READERS:
        with progress.busy(file.target):
            checks.append(_check_reader(file, images))
    return checks


def _check_reader(file: NIRFile, images: np.ndarray) -> Check:
    version = installed_version(file.target)
    if version is None:
        return Check(file.target, "not installed", failed=False)
    name = f"{file.target} {version}"
    try:
        found = read_and_run(file.target, file.graph, images, file.n_steps)
    except Exception as error:  # another library's, on a file that may be wrong
        return Check(name, kind_and_line(error), failed=True)
    if found.shape != file.expected.counts.shape:
        return Check(name, f"gives counts of shape {found.shape}", failed=True)
    return counts_check(name, found, file.expected.counts)
