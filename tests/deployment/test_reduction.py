"""The reduction in spikes: by hand, and against the float reduction it stands for."""

import pytest
import torch

from deepstdp.config import ReductionConfig
from deepstdp.deployment.reduction import SpikingReduction
from deepstdp.features import Reducer
from tests.helpers import correlated


def test_on_and_off_neurons_by_hand():
    """Currents of +-1 and a threshold of 2 that one spike a step leaves alone."""
    one = SpikingReduction(torch.tensor([[1.0]]), torch.tensor([0.0]), threshold=2.0, wanted=1.0)
    spikes = one.answer(torch.ones(1, 2, 1, dtype=torch.uint8))
    # 1 | 2 fires; the off neuron's membrane falls.
    assert spikes.tolist() == [[[0, 0], [1, 0]]]
    away = SpikingReduction(torch.tensor([[1.0]]), torch.tensor([-2.0]), 2.0, 1.0)
    assert away.answer(torch.ones(1, 2, 1, dtype=torch.uint8)).tolist() == [[[0, 0], [0, 1]]]


def test_inhibition_by_hand():
    """Two neurons that fire in the first step where one is wanted raise the threshold."""
    weight = torch.tensor([[2.0, -2.0]])
    both = SpikingReduction(weight, torch.zeros(2), threshold=2.0, wanted=1.0)
    spikes = both.answer(torch.ones(1, 3, 1, dtype=torch.uint8))
    # 2 fires, 0; 2 < 2 exp(0.1): silent; 4 fires at 2 exp(0.1) exp(-0.1).
    assert spikes[0, :, 0].tolist() == [1, 0, 1]
    assert spikes[0, :, 3].tolist() == [1, 0, 1]
    assert spikes[0, :, 1:3].sum() == 0


@pytest.mark.parametrize("loudness", [0.5, 1.0, 2.0])
def test_rates_are_those_of_the_unit_vector_however_loud_the_features_are(loudness):
    """What the L2 normalisation does, divisive inhibition does, up to the noise of spikes."""
    features = correlated(n=300, d=20).abs()
    reducer = Reducer(ReductionConfig(n_components=8))
    reducer.fit_transform(features)
    gain = 0.5
    reduction = SpikingReduction.fit(reducer, features, scale=float(features.max()), gain=gain)
    # Louder deviations from the mean: the same unit vector.
    mean = reducer.state()["mean"]
    some = mean + loudness * (features[:40] - mean)
    n_steps = 400
    rates = (some / features.max()).clamp(0, 1)
    spikes = (
        torch.rand(40, n_steps, 20, generator=torch.Generator().manual_seed(0)) < rates[:, None]
    )
    answers = reduction.answer(spikes.to(torch.uint8)).float()
    found = answers[:, 50:, :8].mean(dim=1) - answers[:, 50:, 8:].mean(dim=1)
    assert answers[:, 50:].sum(dim=2).mean() == pytest.approx(reduction.wanted, rel=0.05)
    heard = reducer.transform(spikes.float().mean(dim=1) * features.max())
    cosine = torch.nn.functional.cosine_similarity(found, heard)
    assert cosine.min() > 0.9
