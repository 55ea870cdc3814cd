import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA

from deepstdp.clustering.stdp import STDPPseudoLabels
from deepstdp.config import ReductionConfig, STDPConfig
from deepstdp.features import Reducer
from deepstdp.features.reduction import procrustes_rotation, whitening


def correlated(n=300, d=20, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy((rng.normal(size=(n, d)) @ rng.normal(size=(d, d))).astype(np.float32))


def test_whitening_is_scikit_learns():
    x = correlated()
    mean, projection = whitening(x, 6)
    ours = ((x - mean) @ projection).numpy()
    theirs = PCA(6, whiten=True).fit_transform(x.numpy())
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.allclose(ours * signs, theirs, atol=1e-3)


def test_dead_features_are_not_blown_up():
    x = correlated()
    x[:, 3:] = 0
    mean, projection = whitening(x, 8)
    variances = ((x - mean) @ projection).var(dim=0)
    assert torch.allclose(variances[:3], torch.ones(3), atol=1e-2)
    assert (variances[3:] == 0).all()


def test_fewer_samples_than_features_is_scikit_learns_too():
    x = correlated(n=12, d=30)
    mean, projection = whitening(x, 5)
    ours = ((x - mean) @ projection).numpy()
    theirs = PCA(5, whiten=True).fit_transform(x.numpy())
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.allclose(ours * signs, theirs, atol=1e-3)


def test_directions_that_do_not_vary_are_left_out():
    x = correlated(n=8).repeat(4, 1)
    x[:, 5:] = 1.0
    mean, projection = whitening(x, 20)
    assert (projection.norm(dim=0) > 0).tolist() == [True] * 5 + [False] * 15
    assert torch.isfinite((x + 100 - mean) @ projection).all()


def test_components_are_limited_by_samples_and_features():
    assert whitening(correlated(n=5), 64)[1].shape == (20, 4)
    assert whitening(correlated(), 64)[1].shape == (20, 20)


def test_procrustes_is_scipys():
    source, target = correlated(50, 6, 1), correlated(50, 6, 2)
    expected, _ = orthogonal_procrustes(source.numpy(), target.numpy())
    assert np.allclose(procrustes_rotation(source, target).numpy(), expected, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_a_rotated_basis_is_turned_back(seed):
    x = correlated()
    rotation = torch.linalg.qr(correlated(20, 20, seed))[0]
    reducer = Reducer(ReductionConfig(n_components=8))
    first = reducer.fit_transform(x)
    second = reducer.fit_transform(x @ rotation)
    assert torch.allclose(first, second, atol=1e-3)


def test_rotated_and_flipped_basis_gives_the_same_labels_only_if_aligned():
    x = correlated(400, 20)
    flips = torch.diag(torch.tensor([1.0, -1.0] * 10))
    turned = x @ torch.linalg.qr(correlated(20, 20, 9))[0] @ flips

    def share_kept(align: bool) -> float:
        reducer = Reducer(ReductionConfig(n_components=20, align=align))
        clusterer = STDPPseudoLabels(10, 0, STDPConfig(eta=1e-6))
        reduced = reducer.fit_transform(x)
        before = clusterer.fit_predict(reduced).labels
        after = clusterer.fit_predict(reducer.fit_transform(turned)).labels
        return (before == after).double().mean().item()

    # eta is so small that the synapses stand still; what is left is float rounding.
    assert share_kept(align=True) > 0.98
    assert share_kept(align=False) < 0.3


def test_transform_repeats_the_fit_to_the_bit_and_state_restores_it():
    x, y = correlated(), correlated(seed=5)
    reducer = Reducer(ReductionConfig(n_components=8))
    reducer.fit_transform(x)
    fitted = reducer.fit_transform(y)
    assert torch.equal(reducer.transform(y), fitted)
    other = Reducer(ReductionConfig(n_components=8))
    other.load_state(reducer.state())
    assert torch.equal(other.transform(y), fitted)
    assert torch.equal(other.fit_transform(x), reducer.fit_transform(x))


def test_rows_have_unit_length():
    reduced = Reducer(ReductionConfig(n_components=8)).fit_transform(correlated())
    assert torch.allclose(reduced.norm(dim=1), torch.ones(300), atol=1e-5)
