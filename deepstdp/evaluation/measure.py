"""Everything that is measured of one state of the network, in two calls."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
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
from deepstdp.evaluation.knn import knn_accuracy
from deepstdp.evaluation.linear_probe import linear_probe_accuracy

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


def measure_features(
    train: Float[Tensor, "n d"],
    val: Float[Tensor, "m d"],
    truth: Truth | None,
    config: EvaluationConfig,
) -> Metrics:
    """Linear probe and k-NN accuracy of frozen features; None without labels."""
    if truth is None:
        return {"linear_probe_accuracy": None, "knn_accuracy": None}
    labels, val_labels = (torch.from_numpy(y).to(train.device) for y in (truth.train, truth.val))
    probe = linear_probe_accuracy(train, labels, val, val_labels, config)
    x, x_val = train.cpu().numpy(), val.cpu().numpy()
    knn = knn_accuracy(x, truth.train, x_val, truth.val, config.knn_neighbours)
    return {"linear_probe_accuracy": probe, "knn_accuracy": knn}


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
    metrics |= assignment.diagnostics
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
    return metrics
