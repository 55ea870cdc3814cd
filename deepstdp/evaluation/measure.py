"""Everything that is measured of one state of the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy import ndarray
from torch import Tensor

from deepstdp.clustering import Assignment
from deepstdp.config import EvaluationConfig
from deepstdp.evaluation.cluster_metrics import (
    agreement_with_labels,
    agreement_with_previous,
    cluster_accuracy,
    cluster_sizes,
)
from deepstdp.evaluation.knn import knn_classes
from deepstdp.evaluation.linear_probe import LinearProbe

ASSIGNMENT_KEYS = (
    "nmi_labels",
    "nmi_previous",
    "assignment_stability",
    "n_empty_clusters",
    "cluster_entropy",
)
"""What every epoch's record has, None where there is nothing to measure."""

Metrics = dict[str, float | int | None]


@dataclass(frozen=True)
class Truth:
    """The labels of both splits: what evaluation knows and training does not."""

    train: Int64[ndarray, "n"]
    val: Int64[ndarray, "m"]


@dataclass(frozen=True)
class Predictions:
    """The classes of the validation images, as read from frozen features."""

    linear_probe: Int64[ndarray, "m"]
    knn: Int64[ndarray, "m"]


def predict_classes(
    train: Float[Tensor, "n d"],
    val: Float[Tensor, "m d"],
    truth: Truth | None,
    config: EvaluationConfig,
) -> Predictions | None:
    """Fit linear probe and k-NN to the training features; None without labels."""
    if truth is None:
        return None
    labels = torch.from_numpy(truth.train).to(train.device)
    probe = LinearProbe.fit(train, labels, config).classes(val).cpu().numpy()
    x, x_val = train.cpu().numpy(), val.cpu().numpy()
    return Predictions(probe, knn_classes(x, truth.train, x_val, config.knn_neighbours))


def measure_features(predictions: Predictions | None, truth: Truth | None) -> Metrics:
    """Accuracy of linear probe and k-NN; None where there are no predictions."""
    if predictions is None or truth is None:
        return {"linear_probe_accuracy": None, "knn_accuracy": None}
    return {
        "linear_probe_accuracy": float((predictions.linear_probe == truth.val).mean()),
        "knn_accuracy": float((predictions.knn == truth.val).mean()),
    }


def correct_images(predictions: Predictions | None, truth: Truth | None) -> dict[str, str]:
    """Which validation images each classifier gets right, as a string of 0 and 1 an image."""
    if predictions is None or truth is None:
        return {}
    return {
        name: "".join(map(str, (classes == truth.val).astype(int)))
        for name, classes in vars(predictions).items()
    }


def are_correct_images(value: Any) -> bool:
    """Whether a file's value is one of ``correct_images``."""
    return isinstance(value, dict) and all(
        isinstance(digits, str) and set(digits) <= {"0", "1"} for digits in value.values()
    )


def right(correct: Mapping[str, str]) -> Bool[ndarray, "m"] | None:
    """Which of them the linear probe gets right, of ``correct_images``; None if that is empty."""
    digits = correct.get("linear_probe")
    return None if digits is None else np.array([digit == "1" for digit in digits], dtype=bool)


def measure_assignment(
    assignment: Assignment,
    previous: Assignment | None,
    val_assignment: Assignment | None,
    retest: Assignment | None,
    truth: Truth | None,
) -> Metrics:
    """Agreement with the labels and the last epoch, sizes, and what the clusterer reports.

    Args:
        assignment: of the training images.
        previous: the one before, if any.
        val_assignment: of the validation images, where the clusterer can give it.
        retest: of the training images under other noise, where there is any.
        truth: labels of both splits, if there are any.
    """
    clusters = assignment.labels.cpu().numpy()
    metrics: Metrics = dict.fromkeys(ASSIGNMENT_KEYS)
    metrics |= cluster_sizes(clusters, assignment.n_clusters)
    if truth is not None:
        metrics |= agreement_with_labels(clusters, truth.train)
        if val_assignment is not None:
            metrics |= cluster_accuracy(
                clusters,
                truth.train,
                val_assignment.labels.cpu().numpy(),
                truth.val,
                assignment.n_clusters,
            )
    if previous is not None:
        metrics |= agreement_with_previous(clusters, previous.labels.cpu().numpy())
    if retest is not None:
        same = retest.labels == assignment.labels
        metrics["retest_agreement"] = same.sum().item() / len(same)
    return metrics | assignment.diagnostics
