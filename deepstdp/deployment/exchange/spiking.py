"""The spiking network of a run as NIR, and the proof that simulators read it right."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from deepstdp.clustering import Clusterer, STDPPseudoLabels
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.exchange.checks import Check, counts_check, values_check
from deepstdp.deployment.exchange.dialects import Target, dialect
from deepstdp.deployment.exchange.front_end import FrontEnd
from deepstdp.deployment.exchange.nir_file import (
    Expected,
    NIRFile,
    read_nir,
    write_nir,
)
from deepstdp.deployment.exchange.readers import READERS, installed_version, read_and_run
from deepstdp.deployment.exchange.replay import replay
from deepstdp.deployment.inputs import Constant
from deepstdp.deployment.readout import LastLayer
from deepstdp.deployment.source import Source
from deepstdp.deployment.table import kept_line
from deepstdp.errors import UserError, kind_and_line
from deepstdp.files import Record
from deepstdp.imports import require_extra
from deepstdp.inference import NONE
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir

_FRONT_END_TOLERANCE = 1e-5
"""Between single and double precision, as a share of the largest value."""

_TOLERANCES = {"relative_error": 1e-3, "cluster_agreement": 0.02, "linear_probe_accuracy": 0.02}
"""Between what is measured on two machines, on which a few images may fall to the other side."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        hint: how to read the file.
        record: how far the network in it does what the ConvNet does (see ``compare``).
    """

    hint: str
    record: Record


def export_nir(
    run: RunDir,
    target: Target,
    config: ConversionConfig,
    out: Path,
    progress: Progress = SILENT,
    other_data: Mapping[str, Any] = NONE,
    last_layer: LastLayer = "features",
) -> Exported:
    """Convert a run for a reader and write it as NIR, with what the reader must find.

    Args:
        run: a finished run.
        target: a key of ``DIALECTS``.
        config: how to convert; whatever it says, neurons start at zero, the input is constant, and
            neurons fire as often in a step as the target's do.
        out: the ``.nir`` file.
        progress: follows the work.
        other_data: settings of ``DataConfig`` that differ from the run's.
        last_layer: what the file's last neurons stand for: the ConvNet's features, or one for each
            cluster behind them (see ``readout``).

    Raises:
        UserError: the target does not run the reset, or see ``Source.open`` and ``readout``.
    """
    require_extra("nir", "exporting", "nir")
    chosen = dialect(target, config.reset)
    source = Source.open(run, progress, other_data, last_layer)
    multispike = chosen.multispike
    config = replace(config, start="zero", input="constant", multispike=multispike, learn=0)
    with progress.busy("fitting thresholds and biases"):
        network, _ = source.convert(config)
    with progress.busy("spiking network"):
        counts = network.counts(source.shown_val(), config.timesteps)
    with progress.busy("the ConvNet's features"):
        record = source.kept(counts, network.layers[-1].scale, config.timesteps)
    front_end = FrontEnd.of(source.model.network, source.config.backbone.sobel)
    info = {
        "target": target,
        "run": run.fingerprint(),
        "config": asdict(config),
        "last_layer": last_layer,
        "stdp": _learning(source.model.clusterer),
        "front_end": front_end.record(),
        "measured": record,
    }
    expected = Expected(source.val_names(), counts.cpu().numpy())
    write_nir(out, network, chosen, config.timesteps, info, expected)
    return Exported(chosen.hint, record)


def _learning(clusterer: Clusterer | None) -> Record | None:
    """Parameters with which the run's STDP neurons learnt, nothing left to be found; else None."""
    if not isinstance(clusterer, STDPPseudoLabels):
        return None
    found = {
        "n_clusters": clusterer.n_clusters,
        "encoding": clusterer.encoding,
        "gain": clusterer.gain,
        "v_threshold": clusterer.layer.learnt.v_threshold,
    }
    return asdict(clusterer.config) | found


def verify_nir(
    path: Path, run: RunDir, progress: Progress = SILENT, other_data: Mapping[str, Any] = NONE
) -> list[Check]:
    """Replay the run's validation images through a file and compare spike counts.

    The front end that the file describes is computed in NumPy and compared with the run's. The
    graph is run node by node in NumPy, and by the reader that the file was written for, if it is
    installed. What NumPy counts is compared with the ConvNet too: the features that these spikes
    tell (or scores of clusters) must be as far from the ConvNet's as the file says.

    Args:
        path: what ``export_nir`` wrote.
        run: whose images.
        progress: follows the work.
        other_data: settings of ``DataConfig`` that differ from the run's.

    Raises:
        UserError: the file is none of ours, of another run, or its images are not the run's.
    """
    file = read_nir(path)
    expected = file.expected
    if file.run != run.fingerprint():
        raise UserError(f"{path} was exported from another run than {run.path}")
    source = Source.open(run, progress, other_data, file.last_layer)
    if source.val_names() != expected.names:
        raise UserError(f"{path} was made with other validation images than {run.path} has")
    n_neurons = math.prod(source.chain[-1].out_shape)
    if expected.counts.shape != (len(expected.names), n_neurons):
        wrong = " x ".join(map(str, expected.counts.shape))
        raise UserError(
            f"{path} has spike counts of {wrong}, not {len(expected.names)} x {n_neurons}"
        )
    shown = source.shown_val()
    checks = [_check_front_end(file, source.stored_val(), shown.cpu().numpy())]
    code = file.code.encode(shown, file.n_steps)
    assert isinstance(code, Constant)
    images = code.values.cpu().numpy()
    with progress.busy("replay in NumPy"):
        counts = replay(file.graph, images, file.n_steps, file.dt, file.reset, file.multispike)
    checks.append(counts_check("NumPy", counts, expected.counts))
    if counts.shape == expected.counts.shape:
        with progress.busy("the ConvNet's features"):
            checks.append(_check_features(file, counts, source))
    if file.target in READERS:
        with progress.busy(file.target):
            checks.append(_check_reader(file, images))
    return checks


def _check_front_end(
    file: NIRFile, images: UInt8[np.ndarray, "n c h w"], shown: Float[np.ndarray, "n o h w"]
) -> Check:
    try:
        found = file.front_end(images)
    except ValueError as error:  # as many channels as the images have not
        return Check("front end", kind_and_line(error), failed=True)
    return values_check("front end", found, shown, _FRONT_END_TOLERANCE)


def _check_features(file: NIRFile, counts: Int[np.ndarray, "n o"], source: Source) -> Check:
    """What the network in the file keeps of the ConvNet, measured again."""
    on_device = torch.from_numpy(counts).to(source.model.device)
    record = source.kept(on_device, file.scale, file.n_steps)
    (found,), said = record["curve"], file.measured
    wrong = [
        f"{key} {said.get(key)}"
        for key, tolerance in _TOLERANCES.items()
        if key in found and not abs(found[key] - said.get(key, np.nan)) <= tolerance
    ]
    more = f", the file says {', '.join(wrong)}" if wrong else ""
    name = "ConvNet" if file.last_layer == "features" else "float pipeline"
    return Check(name, kept_line(record) + more, failed=bool(wrong))


def _check_reader(file: NIRFile, images: Float[np.ndarray, "n c h w"]) -> Check:
    version = installed_version(file.target)
    if version is None:
        return Check(file.target, "not installed", failed=False)
    name = f"{file.target} {version}"
    try:
        found = read_and_run(file.target, file.graph, images, file.n_steps)
    except ModuleNotFoundError as error:  # nirtorch, which readers use and do not ask for
        return Check(name, f"not run, {error}", failed=False)
    except Exception as error:  # another library's, on a file that may be wrong
        return Check(name, kind_and_line(error), failed=True)
    return counts_check(name, found, file.expected.counts)
