"""A trained run on images: its own again, or others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from jaxtyping import Float
from torch import Tensor

from deepstdp.config import Config
from deepstdp.data import Dataset, load_dataset
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import (
    Metrics,
    Predictions,
    Truth,
    measure_assignment,
    measure_features,
    predict_classes,
)
from deepstdp.evaluation.paired import paired_points
from deepstdp.files import Record
from deepstdp.model import Model, load_model, untrained
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


@dataclass(frozen=True)
class Evaluation:
    """What a trained run is worth on a data set.

    Attributes:
        source: where its images are.
        n_train: images that linear probe and k-NN learn from, and whose clusters are measured.
        n_val: images that accuracies are of.
        trained: what was measured; of no labels, no accuracy.
        untrained: accuracies of the network before its first step; none of a backbone of the
            user's own, which may have begun with other weights.
        points: by accuracy, how many points the training gained on the same images, with a 95 %
            interval (see ``paired_points``).
    """

    source: str
    n_train: int
    n_val: int
    trained: Metrics
    untrained: Metrics
    points: dict[str, Record]


def evaluate(
    run: RunDir, data_overrides: Mapping[str, Any], progress: Progress = SILENT
) -> Evaluation:
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
    truth, before = truth_of(dataset), None
    # What a backbone of the user's own was at first is not known: it may have been given trained.
    if truth is not None and config.backbone.class_path is None:
        fresh = untrained(model, config, shape)
        before = predict_classes(*_features(fresh, dataset, progress), truth, config.evaluation)
    train, val = _features(model, dataset, progress)
    after = predict_classes(train, val, truth, config.evaluation)
    metrics = measure_features(after, truth)
    if model.clusterer is not None and model.clusterer.can_predict:
        reduced, val_reduced = model.reducer.transform(train), model.reducer.transform(val)
        metrics |= measure_assignment(
            model.clusterer.predict(reduced),
            None,
            model.clusterer.predict(val_reduced),
            model.clusterer.retest(reduced),
            truth,
        )
    return Evaluation(
        source=data_overrides.get("source", config.data.source),
        n_train=len(dataset.train),
        n_val=len(dataset.val),
        trained=_known(metrics),
        untrained=_known(measure_features(before, truth)),
        points=_points(after, before, truth),
    )


def _features(
    model: Model, dataset: Dataset, progress: Progress
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
    """Of both splits."""
    train, val = dataset.train.images, dataset.val.images
    return model.features(train, progress), model.features(val, progress)


def _known(metrics: Metrics) -> Metrics:
    return {name: value for name, value in metrics.items() if value is not None}


def _points(
    after: Predictions | None, before: Predictions | None, truth: Truth | None
) -> dict[str, Record]:
    if after is None or before is None or truth is None:
        return {}
    return {
        f"{name}_accuracy": paired_points(classes == truth.val, getattr(before, name) == truth.val)
        for name, classes in vars(after).items()
    }
