import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA

from deepstdp.features.whitening import exact_whitening, polar_factor, subspace_whitening
from tests.helpers import correlated


@pytest.mark.parametrize(
    ("n", "d", "p"), [(300, 20, 6), (12, 30, 5)], ids=["many", "fewer samples than features"]
)
def test_whitening_is_scikit_learns(n, d, p):
    x = correlated(n, d)
    fitted = exact_whitening(x, p)
    ours = ((x - fitted.mean) @ fitted.projection).numpy()
    theirs = PCA(p, whiten=True).fit_transform(x.numpy())
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.allclose(ours * signs, theirs, atol=1e-3)


def test_dead_features_are_not_blown_up():
    x = correlated()
    x[:, 3:] = 0
    fitted = exact_whitening(x, 8)
    variances = ((x - fitted.mean) @ fitted.projection).var(dim=0)
    assert torch.allclose(variances[:3], torch.ones(3), atol=1e-2)
    assert (variances[3:] == 0).all()


def test_directions_that_do_not_vary_are_left_out():
    x = correlated(n=8).repeat(4, 1)
    x[:, 5:] = 1.0
    fitted = exact_whitening(x, 20)
    assert (fitted.projection.norm(dim=0) > 0).tolist() == [True] * 5 + [False] * 15
    assert torch.isfinite((x + 100 - fitted.mean) @ fitted.projection).all()


def test_components_are_limited_by_samples_and_features():
    assert exact_whitening(correlated(n=5), 64).projection.shape == (20, 4)
    assert exact_whitening(correlated(), 64).projection.shape == (20, 20)


def test_the_polar_factor_is_scipys_rotation():
    source, target = correlated(50, 6, 1), correlated(50, 6, 2)
    expected, _ = orthogonal_procrustes(source.numpy(), target.numpy())
    assert np.allclose(polar_factor(source.T @ target).numpy(), expected, atol=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 24), st.floats(0, 8))
def test_the_polar_factor_is_orthogonal_and_nearest(seed, p, decades):
    generator = torch.Generator().manual_seed(seed)
    u, v = (torch.linalg.qr(torch.randn(p, p, generator=generator).double())[0] for _ in "uv")
    spectrum = torch.logspace(0, -decades, p).double()
    factor = polar_factor(u @ torch.diag(spectrum) @ v.T)
    assert torch.allclose(factor.T @ factor, torch.eye(p).double(), atol=1e-8)
    assert torch.allclose(factor, u @ v.T, atol=1e-6)


def test_the_polar_factor_of_a_singular_matrix_is_orthogonal():
    matrix = torch.diag(torch.tensor([2.0, 1.0, 0.0]))
    factor = polar_factor(matrix)
    assert torch.allclose(factor.T @ factor, torch.eye(3), atol=1e-6)
    assert torch.allclose(factor[:2, :2], torch.eye(2), atol=1e-6)


def decaying(n=500, d=80, seed=0):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(np.random.default_rng(9).normal(size=(d, d)))[0]
    scores = rng.normal(size=(n, d)) * np.arange(1, d + 1) ** -0.8
    return torch.from_numpy((scores @ basis.T + 3).astype(np.float32))


def test_subspace_iteration_whitens_the_span_of_the_leading_components():
    x = decaying()
    exact, ours = exact_whitening(x, 8), subspace_whitening(x, 8, n_iterations=3)
    z = (x - ours.mean) @ ours.projection
    assert torch.allclose(z.T @ z / (len(x) - 1), torch.eye(8), atol=1e-3)
    assert torch.allclose(ours.basis.T @ ours.basis, torch.eye(8), atol=1e-5)
    assert exact.explained_variance - 1e-4 < ours.explained_variance
    assert ours.explained_variance <= exact.explained_variance + 1e-6
    cosines = torch.linalg.svdvals(ours.basis.T @ exact.basis)
    assert cosines[:6].min() > 0.999


@pytest.mark.parametrize("n_iterations", [1, 2])
def test_a_warm_start_follows_features_that_move(n_iterations):
    x = decaying()
    moved = x + 0.1 * decaying(seed=1)
    start = subspace_whitening(x, 8, 3).basis
    warm, best = subspace_whitening(moved, 8, n_iterations, start), exact_whitening(moved, 8)
    cold_start = torch.linalg.qr(torch.randn(80, 8, generator=torch.Generator().manual_seed(0)))[0]
    cold = subspace_whitening(moved, 8, n_iterations, cold_start)
    assert warm.explained_variance > 0.995 * best.explained_variance
    assert warm.explained_variance > cold.explained_variance


def test_subspace_iteration_survives_dead_features_and_few_samples():
    x = correlated(30, 20)
    x[:, 4:] = 0
    fitted = subspace_whitening(x, 12, 2)
    z = (x - fitted.mean) @ fitted.projection
    assert torch.isfinite(z).all()
    assert fitted.explained_variance == pytest.approx(1, abs=1e-5)
    assert torch.linalg.svdvals(z)[:4].min() > 5  # sqrt(29) each
    assert subspace_whitening(correlated(n=5), 64, 2).projection.shape == (20, 4)
    assert torch.isfinite(subspace_whitening(torch.ones(6, 5), 3, 2).projection).all()
