"""How far a spiking network tells images as its ConvNet does, after so many steps."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor

from deepstdp.config import EvaluationConfig
from deepstdp.deployment.relative_error import relative_error
from deepstdp.evaluation.cluster_metrics import agreement_with_labels
from deepstdp.evaluation.linear_probe import LinearProbe
from deepstdp.evaluation.measure import Truth
from deepstdp.evaluation.paired import paired_points
from deepstdp.files import Record
from deepstdp.model import Model

Features = Float[Tensor, "_ d"]


def compare(
    model: Model,
    train: Features | None,
    val: Features,
    spiking: dict[int, Features],
    truth: Truth | None,
    config: EvaluationConfig,
) -> Record:
    """The ConvNet's features against those of spikes after T steps, for some T.

    The linear probe is fitted once, to the ConvNet's features, and reads both; the clusterer is
    the run's, as it is.

    Args:
        model: the run's.
        train: the ConvNet's features of the training images of ``truth``, for the probe.
        val: the same of the validation images.
        spiking: features by spikes of the validation images, by T.
        truth: labels of both splits, if there are any.
        config: of the probe.
    """
    record: Record = {"curve": []}
    probe = None
    if truth is not None and train is not None:
        labels = torch.from_numpy(truth.train).to(train.device)
        probe = LinearProbe.fit(train, labels, config)
        classes = probe.classes(val).cpu().numpy()
        record["linear_probe_accuracy"] = float((classes == truth.val).mean())
    clusters, reference = cluster_reference(model, val, truth)
    record |= reference
    for n_steps, features in spiking.items():
        point: Record = {
            "timesteps": n_steps,
            "relative_error": relative_error(features, val),
        }
        if probe is not None and truth is not None:
            found = probe.classes(features).cpu().numpy()
            point["linear_probe_accuracy"] = float((found == truth.val).mean())
            point["probe_agreement"] = _share(found == classes)
            point["points"] = paired_points(found == truth.val, classes == truth.val)
        if clusters is not None:
            point["cluster_agreement"] = _share(clusters_of(model, features) == clusters)
        record["curve"].append(point)
    return record


def cluster_reference(
    model: Model, val: Features, truth: Truth | None
) -> tuple[Int64[ndarray, "n"] | None, Record]:
    """The float pipeline's clusters, how far it repeats them, and what they tell of labels."""
    clusters, record = clusters_of(model, val), Record()
    if clusters is None:
        return None, record
    assert model.clusterer is not None
    again = model.clusterer.retest(model.reducer.transform(val))
    if again is not None:
        record["retest_agreement"] = _share(again.labels.cpu().numpy() == clusters)
    if truth is not None:
        record |= agreement_with_labels(clusters, truth.val)
    return clusters, record


def clusters_of(model: Model, features: Features) -> Int64[ndarray, "n"] | None:
    """The run's clusters of features; None if its clusterer knows only those it was fitted to."""
    if model.clusterer is None or not model.clusterer.can_predict:
        return None
    return model.clusterer.predict(model.reducer.transform(features)).labels.cpu().numpy()


def compare_clusters(
    found: Int64[ndarray, "n"], float_clusters: Int64[ndarray, "n"], truth: Truth | None
) -> Record:
    """Clusters by spikes from end to end against those of the float pipeline, and the labels."""
    record: Record = {"agreement": _share(found == float_clusters)}
    return record if truth is None else record | agreement_with_labels(found, truth.val)


def _share(same: Any) -> float:
    return float(np.mean(same))
