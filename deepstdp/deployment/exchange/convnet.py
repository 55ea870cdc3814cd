"""The ConvNet of a run as ONNX, front end included, and the proof that it is the same function."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from deepstdp.backbones.network import Network
from deepstdp.deployment.exchange.checks import Check, read_foreign, values_check
from deepstdp.errors import kind_and_line
from deepstdp.files import whole
from deepstdp.imports import require_extra
from deepstdp.inference import NONE, images_for
from deepstdp.model import FEATURE_BATCH, load_model
from deepstdp.progress import SILENT, Progress, quiet
from deepstdp.run_dir import RunDir

SUFFIX = ".onnx"
"""By which ``deepstdp verify`` knows such a file."""

TOLERANCE = 1e-3
"""Largest difference of a value, as a share of the largest."""

MOST_FLIPPED = 0.01
"""Share of values that may differ more where a clipped ReLU rounds: sums at the edge of a level."""

OUTPUTS = ("features", "logits")


class _Outputs(nn.Module):
    """Features, and the logits of the clusters, of images in [0, 1]."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, images: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b k"]]:
        """Both, from one pass."""
        features = self.network.features(images)
        return features, self.network.head(features)


def export_onnx(run: RunDir, out: Path, progress: Progress = SILENT) -> str:
    """Write the ConvNet: ``images`` (B, C, H, W) in [0, 1] to ``features`` and ``logits``.

    Args:
        run: a finished run.
        out: the ``.onnx`` file.
        progress: follows the work.

    Returns:
        How to read the file.

    Raises:
        UserError: onnx is not installed.
    """
    for package in ("onnx", "onnxscript"):
        require_extra(package, "exporting the ConvNet", "onnx")
    model, shape = load_model(run)
    outputs = _Outputs(model.network.cpu().float().eval())
    batch = torch.export.Dim("batch", min=1)
    with progress.busy("onnx"), quiet("torch.onnx"):
        program = torch.onnx.export(
            outputs,
            (torch.zeros(2, *shape),),
            dynamo=True,
            input_names=["images"],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: batch},),
            verbose=False,
        )
        assert program is not None
        with whole(out) as unfinished:
            program.save(unfinished)
    return "onnxruntime.InferenceSession(path).run(['features'], {'images': images})"


def verify_onnx(
    path: Path, run: RunDir, progress: Progress = SILENT, other_data: Mapping[str, Any] = NONE
) -> list[Check]:
    """Compare features and logits of a run's validation images with what onnxruntime computes.

    Args:
        path: what ``export_onnx`` wrote.
        run: whose images and network.
        progress: follows the work.
        other_data: settings of ``DataConfig`` that differ from the run's.

    Raises:
        UserError: the file cannot be read, or onnxruntime is not installed.
    """
    runtime = require_extra("onnxruntime", "verifying the ConvNet", "onnx")
    session = read_foreign(
        path,
        "ONNX",
        lambda: runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]),
    )
    model, shape = load_model(run)
    config = run.config()
    dataset = images_for(config, shape, other_data, progress)
    name = f"onnxruntime {runtime.__version__}"
    found, expected = [], []
    outputs = _Outputs(model.network.cpu().float().eval())
    with progress.busy("onnxruntime"), torch.no_grad():
        rows = list(torch.arange(len(dataset.val)).split(FEATURE_BATCH))
        for part in dataset.val.images.batches(rows):
            images = part.float() / 255
            expected.append(torch.cat(outputs(images), dim=1).numpy())
            try:
                answers = session.run(list(OUTPUTS), {"images": images.numpy()})
                found.append(np.concatenate(answers, axis=1))
            except Exception as error:  # a file that is another network's
                return [Check(name, kind_and_line(error), failed=True)]
    most_wrong = MOST_FLIPPED if config.backbone.levels else 0.0
    values = np.concatenate(found), np.concatenate(expected)
    return [values_check(name, *values, TOLERANCE, most_wrong)]
