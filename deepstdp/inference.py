"""A trained run on images: its own again, or others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deepstdp.data import load_dataset
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import Metrics, measure_assignment, measure_features
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
    model, (channels, height, _) = load_model(run)
    config = run.config()
    data = replace(config.data, **data_overrides)
    if data_overrides:
        data = replace(data, image_size=height)
    dataset = load_dataset(data, config.seed, progress).to(model.device)
    if dataset.train.images.shape[1] != channels:
        raise UserError(
            f"the run takes images of {channels} channels, {data.source} has "
            f"{dataset.train.images.shape[1]}"
        )
    truth = truth_of(dataset)
    train = model.features(dataset.train.images, progress)
    val = model.features(dataset.val.images, progress)
    metrics = measure_features(train, val, truth, config.evaluation)
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
