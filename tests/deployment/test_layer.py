"""Integrate-and-fire neurons: by hand, by the rate they must have, and compiled as by torch."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import Constant
from deepstdp.deployment.layer import IFLayer


def single(current: float, threshold=1.0, start=0.0, reset="soft", multispike=False) -> IFLayer:
    """One neuron whose input of 1 makes a current."""
    connection = Connection(torch.full((1, 1, 1, 1), current), torch.zeros(1), 1, 0, (1, 1, 1))
    return IFLayer(connection, threshold, start, reset, 2.0, multispike)


def train(layer: IFLayer, n_steps: int) -> list[int]:
    spikes = layer.answer(Constant(torch.ones(1, 1, 1, 1), n_steps))
    return spikes.flatten().tolist()


def test_membranes_by_hand():
    # 0.75: 0.75 | 1.5 fires, 0.5 | 1.25 fires, 0.25 | 1.0 fires, 0 | and again
    assert train(single(0.75), 5) == [0, 1, 1, 1, 0]
    # the same, what is above the threshold lost: 0.75 | 1.5 fires, 0 | 0.75 | 1.5 fires
    assert train(single(0.75, reset="hard"), 5) == [0, 1, 0, 1, 0]
    assert train(single(0.75, start=0.5), 5) == [1, 1, 0, 1, 1]
    assert train(single(-0.75), 3) == [0, 0, 0]
    assert train(single(3.0), 3) == [1, 1, 1]


def test_several_spikes_a_step_by_hand():
    # 2.5 fires twice, 0.5 | 3.0 fires three times, 0
    assert train(single(2.5, multispike=True), 4) == [2, 3, 2, 3]
    down = single(-0.75, multispike=True)
    twice = Constant(torch.ones(1, 1, 1, 1), 5)
    assert down.answer(twice).sum() == 0
    # Inputs 0, 3, 0, 3: with a bias of -1.5 the membrane stops at -1, then 0.5 | -1 | 0.5
    bias = torch.full((1,), -1.5)
    bounded = replace(down, connection=replace(single(1.0).connection, bias=bias))
    spikes = torch.tensor([0, 3, 0, 4], dtype=torch.uint8).view(1, 4, 1, 1, 1)
    # -1 | 0.5 | -1 | 1.5 fires
    assert bounded.answer(spikes).flatten().tolist() == [0, 0, 0, 1]
    unbounded = replace(bounded, multispike=False)
    # -1.5 | 0 | -1.5 | 1.0 fires
    assert unbounded.answer(spikes).flatten().tolist() == [0, 0, 0, 1]
    assert unbounded.answer(spikes[:, [0, 0, 0, 3]]).sum() == 0  # -4.5 | -2
    assert bounded.answer(spikes[:, [0, 0, 0, 3]]).sum() == 1


@given(st.floats(-1, 2), st.integers(1, 40))
@settings(max_examples=60)
def test_the_rate_is_a_relu_that_saturates(current, n_steps):
    """With a soft reset n = clip(floor(z T + start), 0, T) spikes (threshold 1)."""
    spikes = train(single(round(current * 64) / 64, start=0.5), n_steps)  # sums without rounding
    z = round(current * 64) / 64
    expected = 0 if z < 0 else min(int(z * n_steps + 0.5), n_steps)
    assert sum(spikes) == expected


def test_what_spikes_stand_for():
    layer = single(0.75)
    spikes = torch.tensor([0, 1, 1, 1, 0], dtype=torch.uint8).view(1, 5, 1, 1, 1)
    assert layer.activations(spikes).item() == pytest.approx(2.0 * 3 / 5)


@pytest.mark.parametrize(
    ("reset", "multispike"), [("soft", False), ("hard", False), ("soft", True)]
)
@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding", "n_out"),
    [
        ((3, 7, 7), 3, 1, 1, 8),
        ((2, 8, 6), 4, 2, 1, 5),
        ((8, 4, 4), 4, 1, 0, 6),
        ((1, 9, 9), 3, 2, 0, 3),
        ((4, 9, 9), 2, 2, 0, 3),
    ],
)
def test_the_compiled_answer_is_torch_s_to_the_bit(
    reset, multispike, shape, kernel, stride, padding, n_out
):
    """Whole numbers, so that no sum depends on its order."""
    g = torch.Generator().manual_seed(3)
    weight = torch.randint(-9, 10, (n_out, shape[0], kernel, kernel), generator=g).float()
    bias = torch.randint(-3, 6, (n_out,), generator=g).float()
    layer = IFLayer(
        Connection(weight, bias, stride, padding, shape), 20.0, 10.0, reset, 1.0, multispike
    )
    channels, height, width = shape
    spikes = (torch.rand(4, 11, height, width, channels, generator=g) < 0.2).to(torch.uint8)
    if multispike:
        spikes *= torch.randint(1, 4, spikes.shape, generator=g, dtype=torch.uint8)
    expected = layer.by_torch(spikes)
    assert 0.02 < (expected > 0).float().mean() < 0.9
    assert multispike == bool((expected > 1).any())
    assert torch.equal(layer.compiled(spikes), expected)
    values = Constant(torch.randint(-5, 6, (4, *shape), generator=g).float(), 11)
    assert torch.equal(layer.compiled(values), layer.by_torch(values))


def test_silence_leaves_the_bias_alone():
    layer = replace(single(0.75), connection=replace(single(0.75).connection, bias=torch.ones(1)))
    spikes = torch.zeros(2, 3, 1, 1, 1, dtype=torch.uint8)
    assert layer.answer(spikes).flatten(1).tolist() == [[1, 1, 1]] * 2
    assert layer.answer(spikes[:, :0]).shape == (2, 0, 1, 1, 1)
