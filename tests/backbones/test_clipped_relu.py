"""A ReLU of a few levels: by hand, its gradients, and the neuron that it stands for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.backbones.clipped_relu import ClippedReLU, clipped
from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import Constant
from deepstdp.deployment.layer import IFLayer


def test_levels_by_hand():
    x = torch.tensor([-1.0, 0.2, 0.3, 0.9, 1.6, 2.0, 9.0])
    # Ceiling 2, four levels: steps of 0.5, rounded to the nearest.
    assert clipped(x, 2.0, 4).tolist() == [0, 0, 0.5, 1.0, 1.5, 2.0, 2.0]


def test_gradients_are_those_of_clipping():
    relu = ClippedReLU(levels=4)
    x = torch.tensor([-1.0, 1.2, 9.0], requires_grad=True)
    relu(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]
    # d/dc of c (share + rounding), with share x / c: the rounding error of 1.2 / 2 to 2 / 4, and 1.
    assert relu.ceiling.grad.item() == pytest.approx(-0.1 + 1.0)


def test_a_ceiling_that_falls_below_zero_stays_a_ceiling():
    relu = ClippedReLU(levels=4)
    with torch.no_grad():
        relu.ceiling.fill_(-1.0)
    assert relu(torch.tensor([5.0])).item() > 0


@given(st.integers(-64, 192), st.integers(1, 16))
@settings(max_examples=60)
def test_a_soft_reset_neuron_says_the_same_in_as_many_steps(sixtyfourths, levels):
    x = sixtyfourths / 64
    one = torch.ones(1, 1, 1, 1)
    synapse = Connection(one * x, torch.zeros(1), 1, 0, (1, 1, 1))
    neuron = IFLayer(synapse, 1.0, 0.5, "soft", scale=1.0)
    found = neuron.activations(neuron.answer(Constant(one, levels)))
    assert found.item() == pytest.approx(clipped(torch.tensor(x), 1.0, levels).item())
