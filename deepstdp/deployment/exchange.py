"""A run as a file that other simulators read, and the proof that they read it right."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.dialects import dialect
from deepstdp.deployment.inputs import Constant, InputCode
from deepstdp.deployment.nir_file import Expected, read_nir, write_nir
from deepstdp.deployment.readers import READERS, installed_version, read_and_run
from deepstdp.deployment.replay import replay
from deepstdp.deployment.source import Source
from deepstdp.errors import UserError
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir

Counts = Int[np.ndarray, "n o"]


def export_run(
    run: RunDir, target: str, config: ConversionConfig, out: Path, progress: Progress = SILENT
) -> str:
    """Convert a run for a reader and write it as NIR, with what the reader must find.

    Args:
        run: a finished run.
        target: a key of ``DIALECTS``.
        config: how to convert; neurons start at zero and the input is constant whatever it says,
            since that is how readers run.
        out: the ``.nir`` file.
        progress: follows the work.

    Returns:
        How to read the file.

    Raises:
        UserError: the target does not run the reset, or see ``Source.open``.
    """
    chosen = dialect(target, config.reset)
    source = Source.open(run, progress)
    config = replace(config, start="zero", input="constant")
    with progress.busy("fitting thresholds and biases"):
        network, _ = source.convert(config)
    with progress.busy("spiking network"):
        batches = network.run(source.shown_val(), config.timesteps)
        counts = [
            answers[-1].sum(dim=1, dtype=torch.int64).permute(0, 3, 1, 2).flatten(1)
            for _, answers in batches
        ]
    info = {"T": config.timesteps, "target": target, "config": asdict(config)}
    info |= {"front_end": _front_end(source), "stdp": asdict(source.config.clustering.stdp)}
    found = np.concatenate([c.cpu().numpy() for c in counts])
    write_nir(out, network, chosen, info, Expected(source.val_names(), found))
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


@dataclass(frozen=True)
class Check:
    """What one executor found in a file.

    Attributes:
        name: of the executor, with its version.
        n_wrong: spike counts that differ from those expected; None if it did not run.
        n: counts in all.
        largest: difference.
        reason: why it did not run.
    """

    name: str
    n_wrong: int | None
    n: int = 0
    largest: int = 0
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is a mismatch, or the reader broke."""
        return self.n_wrong != 0 and not (self.n_wrong is None and self.reason == NOT_INSTALLED)


NOT_INSTALLED = "not installed"


def verify_file(path: Path, run: RunDir, progress: Progress = SILENT) -> list[Check]:
    """Replay the run's validation images through a file and compare spike counts.

    The graph is run node by node in NumPy, and by the reader that the file was written for, if it
    is installed.

    Args:
        path: what ``export_run`` wrote.
        run: whose images.
        progress: follows the work.

    Raises:
        UserError: the file is none of ours, or its images are not the run's.
    """
    graph, info, expected = read_nir(path)
    source = Source.open(run, progress)
    if source.val_names() != expected.names:
        raise UserError(f"{path} was made with other validation images than {run.path} has")
    code = InputCode(**info["input"]).encode(source.shown_val(), info["T"])
    assert isinstance(code, Constant)
    images = code.values.cpu().numpy()
    with progress.busy("replay in NumPy"):
        counts = replay(graph, images, info["T"], info["dt"], info["reset"])
    checks = [_check("NumPy", counts, expected.counts)]
    if info["target"] in READERS:
        with progress.busy(info["target"]):
            checks.append(_check_reader(info["target"], graph, images, info["T"], expected.counts))
    return checks


def _check(name: str, found: Counts, expected: Counts) -> Check:
    difference = np.abs(found - expected)
    return Check(name, int((difference != 0).sum()), difference.size, int(difference.max()))


def _check_reader(
    target: str, graph: object, images: np.ndarray, n_steps: int, expected: Counts
) -> Check:
    version = installed_version(target)
    if version is None:
        return Check(target, None, reason=NOT_INSTALLED)
    name = f"{target} {version}"
    try:
        found = read_and_run(target, graph, images, n_steps)
    except Exception as error:  # another library's, on a file that may be wrong
        return Check(name, None, reason=f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return _check(name, found, expected)
