"""What an assignment is worth: against labels, against the last epoch, and in itself."""

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)

Labels = Int64[ndarray, "n"]


def agreement_with_labels(clusters: Labels, labels: Labels) -> dict[str, float]:
    """NMI (arithmetic mean), AMI and ARI. NMI grows with K by chance alone; AMI and ARI do not."""
    return {
        "nmi_labels": float(normalized_mutual_info_score(labels, clusters)),
        "ami_labels": float(adjusted_mutual_info_score(labels, clusters)),
        "ari_labels": float(adjusted_rand_score(labels, clusters)),
    }


def agreement_with_previous(clusters: Labels, previous: Labels) -> dict[str, float]:
    """NMI to the last epoch's clusters, and the share of images that kept their very label."""
    return {
        "nmi_previous": float(normalized_mutual_info_score(previous, clusters)),
        "assignment_stability": float(np.mean(clusters == previous)),
    }


def cluster_sizes(clusters: Labels, n_clusters: int) -> dict[str, float]:
    """Entropy of the cluster sizes in nats (ln K if balanced) and how many are empty."""
    sizes = np.bincount(clusters, minlength=n_clusters)
    return {
        "cluster_entropy": float(entropy(sizes)),
        "n_empty_clusters": int(np.sum(sizes == 0)),
        "largest_cluster": float(sizes.max() / sizes.sum()),
    }


def cluster_accuracy(
    train_clusters: Int64[ndarray, "n"],
    train_labels: Int64[ndarray, "n"],
    val_clusters: Int64[ndarray, "m"],
    val_labels: Int64[ndarray, "m"],
    n_clusters: int,
) -> dict[str, float]:
    """Accuracy on val of clusters named by train: by majority, and one to one where K = classes.

    ``cluster_accuracy`` gives each cluster the label most of its training images have (an empty
    one the most frequent label). ``cluster_accuracy_hungarian`` allows each label one cluster; it
    is left out unless K is the number of classes, since it cannot pass classes / K otherwise.
    """
    n_classes = int(train_labels.max()) + 1
    table = np.zeros((n_classes, n_clusters), dtype=np.int64)
    np.add.at(table, (train_labels, train_clusters), 1)
    majority = table.argmax(axis=0)
    majority[table.sum(axis=0) == 0] = table.sum(axis=1).argmax()
    result = {"cluster_accuracy": float(np.mean(majority[val_clusters] == val_labels))}
    if n_classes == n_clusters:
        classes, clusters = linear_sum_assignment(table, maximize=True)
        one_to_one = np.empty(n_clusters, dtype=np.int64)
        one_to_one[clusters] = classes
        result["cluster_accuracy_hungarian"] = float(
            np.mean(one_to_one[val_clusters] == val_labels)
        )
    return result
