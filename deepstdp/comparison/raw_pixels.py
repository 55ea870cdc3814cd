"""The row of the comparison that needs no network: how far the pixels themselves go."""

from pathlib import Path
from typing import Any

import torch

from deepstdp.config import Config
from deepstdp.data import Dataset
from deepstdp.evaluation.measure import measure_features
from deepstdp.features.reduction import whitening
from deepstdp.pipeline import truth_of

RAW_PIXELS = "raw-pixels"
_RAW_COMPONENTS = 256


def raw_pixels_path(out: Path, seed: int) -> Path:
    """Where the measurements of a seed's images are."""
    return out / RAW_PIXELS / f"seed-{seed}.json"


def measure_raw_pixels(config: Config, dataset: Dataset) -> dict[str, Any]:
    """Linear probe and k-NN on whitened principal components of the pixels."""
    pixels = [
        part.images.take(torch.arange(len(part))).flatten(1).float() / 255
        for part in (dataset.train, dataset.val)
    ]
    n_components = min(_RAW_COMPONENTS, pixels[0].shape[1])
    mean, projection = whitening(pixels[0], n_components)
    train, val = ((part - mean) @ projection for part in pixels)
    measured = measure_features(train, val, truth_of(dataset), config.evaluation)
    return {"final": measured, "n_components": projection.shape[1]}
