"""The row of the comparison that needs no network: how far the pixels themselves go."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from deepstdp.config import Config
from deepstdp.data import Dataset
from deepstdp.evaluation.measure import correct_images, measure_features, predict_classes
from deepstdp.features import held_rows
from deepstdp.features.whitening import exact_whitening
from deepstdp.pipeline import truth_of

RAW_PIXELS = "raw-pixels"
_RAW_COMPONENTS, _MOST_IMAGES = 256, 5_000


def raw_pixels_path(out: Path, seed: int) -> Path:
    """Where the measurements of a seed's images are."""
    return out / RAW_PIXELS / f"seed-{seed}.json"


def measure_raw_pixels(config: Config, dataset: Dataset) -> dict[str, Any]:
    """Linear probe and k-NN on whitened principal components of the pixels.

    Of more than 5,000 images in a split, 5,000 at random count.
    """
    parts = (dataset.train, dataset.val)
    rows = [held_rows(len(part), _MOST_IMAGES, config.seed) for part in parts]
    some = replace(dataset, train=parts[0].select(rows[0]), val=parts[1].select(rows[1]))
    pixels = [
        part.images.take(torch.arange(len(part))).flatten(1).float() / 255
        for part in (some.train, some.val)
    ]
    n_components = min(_RAW_COMPONENTS, pixels[0].shape[1])
    fitted = exact_whitening(pixels[0], n_components)
    train, val = ((part - fitted.mean) @ fitted.projection for part in pixels)
    truth = truth_of(some)
    predictions = predict_classes(train, val, truth, config.evaluation)
    return {
        "final": measure_features(predictions, truth),
        "correct": correct_images(predictions, truth),
        "n_components": fitted.projection.shape[1],
    }
