import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from deepstdp.clustering.lloyd import assign, kmeans_plus_plus, lloyd, squared_distances, update


def test_four_points_by_hand():
    x = torch.tensor([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 2.0]])
    centres, labels, n_relocated = lloyd(x, torch.tensor([[1.0, 0.0], [2.0, 0.0]]), 20)
    assert labels.tolist() == [0, 0, 1, 1]
    assert centres.tolist() == [[0, 1], [10, 1]]
    assert n_relocated == 0


def test_squared_distances():
    x, c = torch.randn(7, 3), torch.randn(4, 3)
    assert torch.allclose(squared_distances(x, c), torch.cdist(x, c) ** 2, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_twenty_steps_are_scikit_learns(seed):
    x, _ = make_blobs(2000, 16, centers=40, cluster_std=6.0, random_state=seed)
    x = x.astype(np.float64)
    start = x[np.random.default_rng(seed).permutation(2000)[:40]]
    theirs = SklearnKMeans(40, init=start, n_init=1, max_iter=20, tol=0, algorithm="lloyd").fit(x)
    centres, labels, _ = lloyd(torch.from_numpy(x), torch.from_numpy(start), 20)
    assert np.allclose(centres.numpy(), theirs.cluster_centers_, atol=1e-6)
    assert np.array_equal(labels.numpy(), theirs.labels_)


def test_empty_clusters_take_the_farthest_sample_as_in_scikit_learn():
    x = np.random.default_rng(0).normal(size=(200, 3))
    start = np.r_[x[:5], [[90.0, 90, 90], [99.0, 0, 0]]]
    theirs = SklearnKMeans(7, init=start, n_init=1, max_iter=1, tol=0).fit(x)
    labels, distances = assign(torch.from_numpy(x), torch.from_numpy(start))
    centres, n_empty = update(torch.from_numpy(x), labels, distances, 7)
    assert n_empty == 2
    ours = sorted(map(tuple, np.round(centres.numpy(), 6)))
    assert ours == sorted(map(tuple, np.round(theirs.cluster_centers_, 6)))


def test_seeding_finds_separate_blobs():
    x, y = make_blobs(600, 4, centers=6, cluster_std=0.1, random_state=1)
    x = torch.from_numpy(x)
    seeds = kmeans_plus_plus(x, 6, np.random.default_rng(0))
    _, labels, _ = lloyd(x, seeds, 20)
    assert adjusted_rand_score(y, labels.numpy()) > 0.99


def test_equal_samples_do_not_break_the_seeding():
    seeds = kmeans_plus_plus(torch.ones(5, 2), 3, np.random.default_rng(0))
    assert seeds.shape == (3, 2)
    assert torch.isfinite(lloyd(torch.ones(5, 2), seeds, 5)[0]).all()
