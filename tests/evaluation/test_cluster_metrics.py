import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepstdp.evaluation.cluster_metrics import (
    agreement_with_labels,
    agreement_with_previous,
    cluster_accuracy,
    cluster_sizes,
)


def a(*values):
    return np.array(values)


def test_perfect_and_worthless_clusters():
    labels = a(0, 0, 1, 1)
    assert agreement_with_labels(a(5, 5, 2, 2), labels)["nmi_labels"] == pytest.approx(1)
    assert agreement_with_labels(a(0, 1, 0, 1), labels)["nmi_labels"] == pytest.approx(0, abs=1e-9)
    one_each = agreement_with_labels(a(0, 1, 2, 3), labels)
    assert one_each["nmi_labels"] == pytest.approx(2 / 3)
    assert one_each["ami_labels"] == pytest.approx(0, abs=1e-9)


def test_agreement_with_previous():
    result = agreement_with_previous(a(1, 1, 0, 0), a(0, 0, 1, 1))
    assert result["nmi_previous"] == pytest.approx(1)
    assert result["assignment_stability"] == 0
    assert agreement_with_previous(a(1, 1, 0, 2), a(1, 1, 0, 0))["assignment_stability"] == 0.75


def test_cluster_sizes_by_hand():
    result = cluster_sizes(a(0, 0, 3, 3), n_clusters=5)
    assert result["cluster_entropy"] == pytest.approx(math.log(2))
    assert result["n_empty_clusters"] == 3
    assert result["largest_cluster"] == 0.5


def test_majority_mapping_by_hand():
    # Cluster 0 is mostly label 1, cluster 1 label 0; cluster 2, empty in train, is the most
    # frequent label, 0.
    train_clusters, train_labels = a(0, 0, 0, 1, 1), a(1, 1, 0, 0, 0)
    result = cluster_accuracy(train_clusters, train_labels, a(0, 1, 2, 2), a(1, 0, 0, 1), 3)
    assert result == {"cluster_accuracy": 0.75}


def test_hungarian_only_where_clusters_and_classes_match():
    train_clusters, train_labels = a(0, 0, 1, 1), a(1, 1, 1, 0)
    result = cluster_accuracy(train_clusters, train_labels, a(0, 1), a(1, 0), 2)
    assert result["cluster_accuracy_hungarian"] == 1
    assert "cluster_accuracy_hungarian" not in cluster_accuracy(
        train_clusters, train_labels, a(0, 1), a(1, 0), 3
    )


labels = st.lists(st.integers(0, 3), min_size=8, max_size=8).map(np.array)


@given(labels, labels, st.permutations(range(4)))
def test_names_of_clusters_do_not_matter(clusters, truth, names):
    renamed = np.array(names)[clusters]
    ours, theirs = agreement_with_labels(clusters, truth), agreement_with_labels(renamed, truth)
    for name, value in ours.items():
        assert theirs[name] == pytest.approx(value)
