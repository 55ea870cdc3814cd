"""A trained run on images: its own again, or others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deepstdp.data import load_dataset
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
    model, (channels, height, width) = load_model(run)
    config = run.config()
    data = config.data
    if "source" in data_overrides:
        # Other images have classes of their own, and must be brought to the run's size.
        size = height if height == width else None
        data = replace(data, classes="all", image_size=size)
    data = replace(data, **data_overrides)
    dataset = load_dataset(data, config.seed, progress).to(model.device)
    shape = dataset.train.images.shape
    if shape != (channels, height, width):
        raise UserError(
            f"the run takes images of shape {(channels, height, width)}, those of {data.source} "
            f"are {shape}"
        )
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
