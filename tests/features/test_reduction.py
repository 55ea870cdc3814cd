import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.clustering.stdp import STDPPseudoLabels
from deepstdp.config import ReductionConfig, STDPConfig
from deepstdp.features import Reducer
from tests.helpers import correlated


@settings(max_examples=15)
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


@pytest.mark.parametrize("solver", ["exact", "subspace"])
def test_transform_repeats_the_fit_to_the_bit_and_state_restores_it(solver):
    x, y = correlated(), correlated(seed=5)
    config = ReductionConfig(n_components=8, solver=solver)
    reducer = Reducer(config)
    reducer.fit_transform(x)
    fitted = reducer.fit_transform(y)
    assert torch.equal(reducer.transform(y), fitted)
    other = Reducer(config)
    other.load_state(reducer.state())
    assert torch.equal(other.transform(y), fitted)
    assert torch.equal(other.fit_transform(x), reducer.fit_transform(x))


def test_rows_have_unit_length():
    reduced = Reducer(ReductionConfig(n_components=8)).fit_transform(correlated())
    assert torch.allclose(reduced.norm(dim=1), torch.ones(300), atol=1e-5)


def test_subspace_iteration_keeps_the_labels_as_exact_components_do():
    x = correlated(400, 60)
    moved = x + 0.05 * correlated(400, 60, seed=3)

    def share_kept(solver: str) -> float:
        reducer = Reducer(ReductionConfig(n_components=16, solver=solver))
        clusterer = STDPPseudoLabels(10, 0, STDPConfig(eta=1e-6))
        before = clusterer.fit_predict(reducer.fit_transform(x)).labels
        after = clusterer.fit_predict(reducer.fit_transform(moved)).labels
        return (before == after).double().mean().item()

    assert share_kept("exact") > 0.8
    assert share_kept("subspace") > share_kept("exact") - 0.05


def test_auto_is_exact_for_few_and_without_alignment():
    x = correlated(1100, 1100)
    exact, auto, free = (
        Reducer(ReductionConfig(n_components=4, **settings))
        for settings in ({"solver": "exact"}, {}, {"align": False})
    )
    for reducer in (exact, auto, free):
        reducer.fit_transform(x)
    assert torch.equal(exact.transform(x), free.transform(x))
    assert not torch.equal(exact.transform(x), auto.transform(x))
    assert auto.explained_variance > 0.98 * exact.explained_variance
    few = Reducer(ReductionConfig(n_components=4))
    assert torch.equal(
        few.fit_transform(x[:, :40]),
        Reducer(ReductionConfig(n_components=4, solver="exact")).fit_transform(x[:, :40]),
    )
