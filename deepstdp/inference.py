"""A trained run on images: its own again, or others."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from deepstdp.config import Config
from deepstdp.data import Dataset, load_dataset
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import (
    Metrics,
    measure_assignment,
    measure_features,
    predict_classes,
)
from deepstdp.model import load_model
from deepstdp.pipeline import truth_of
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir

NONE: Mapping[str, Any] = MappingProxyType({})
"""No settings that differ."""


def images_for(
    config: Config, shape: tuple[int, int, int], overrides: Mapping[str, Any], progress: Progress
) -> Dataset:
    """A run's images, or others that fit it.

    Args:
        config: of the run.
        shape: (C, H, W) of the images that it takes.
        overrides: settings of ``DataConfig`` that differ from the run's.
        progress: follows the decoding.

    Raises:
        UserError: the images are not there, or do not fit.
    """
    data, (_, height, width) = config.data, shape
    if "source" in overrides:
        # Other images have classes of their own, and must be brought to the run's size.
        data = replace(data, classes="all", image_size=height if height == width else None)
    data = replace(data, **overrides)
    dataset = load_dataset(data, config.seed, progress)
    found = dataset.train.images.shape
    if found != shape:
        raise UserError(
            f"the run takes images of shape {shape}, those of {data.source} are {found}"
        )
    return dataset


def evaluate(
    run: RunDir, data_overrides: Mapping[str, Any], progress: Progress = SILENT
) -> Metrics:
    """Measure frozen features and clusters on a data set; nothing is trained but the probe.

    Args:
        run: a finished run.
        data_overrides: settings of ``DataConfig`` that differ from the run's.
        progress: follows the work.

    Raises:
        UserError: the run is unfinished, or the images do not fit it.
    """
    model, shape = load_model(run)
    config = run.config()
    dataset = images_for(config, shape, data_overrides, progress).to(model.device)
    truth = truth_of(dataset)
    train = model.features(dataset.train.images, progress)
    val = model.features(dataset.val.images, progress)
    metrics = measure_features(predict_classes(train, val, truth, config.evaluation), truth)
    if model.clusterer is not None and model.clusterer.can_predict:
        reduced, val_reduced = model.reducer.transform(train), model.reducer.transform(val)
        metrics |= measure_assignment(
            model.clusterer.predict(reduced),
            None,
            model.clusterer.predict(val_reduced),
            model.clusterer.retest(reduced),
            truth,
        )
    return {name: value for name, value in metrics.items() if value is not None}
