import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import normalized_mutual_info_score, silhouette_score

from deepstdp.evaluation.cluster_quality import cluster_quality, explained_variance


def test_explained_variance_by_hand():
    # Mean 3; squares about it 9 + 1 + 1 + 9 = 20, about the clusters' means 1 and 5: 4.
    x = np.array([[0.0], [2.0], [4.0], [6.0]])
    clusters = np.array([0, 0, 1, 1])
    assert explained_variance(x, clusters, 3) == pytest.approx(1 - 4 / 20)
    assert explained_variance(x + 1e8, clusters, 3) == pytest.approx(1 - 4 / 20)
    assert explained_variance(np.ones((4, 1)), clusters, 2) == 0


def test_quality_is_scikit_learns():
    x, y = make_blobs(300, 4, centers=3, random_state=0)
    quality = cluster_quality(x, y.astype(np.int64), 3, np.array(list("abc"))[y], seed=0)
    assert quality["silhouette"] == pytest.approx(silhouette_score(x, y))
    assert quality["nmi_labels"] == pytest.approx(normalized_mutual_info_score(y, y))
    assert quality["n_empty_clusters"] == 0


def test_of_spikes_and_of_one_cluster_less_is_measured():
    clusters = np.array([0, 1, 0, 1])
    quality = cluster_quality(np.zeros((4, 5, 6)), clusters, 2, None, seed=0)
    assert set(quality) == {"cluster_entropy", "n_empty_clusters", "largest_cluster"}
    assert "silhouette" not in cluster_quality(np.eye(4), 0 * clusters, 2, None, seed=0)
