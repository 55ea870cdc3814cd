"""Spikes from the image to the cluster, with learning on and off."""

import pytest
import torch

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.config import STDPConfig
from deepstdp.deployment.all_spiking import AllSpiking
from deepstdp.deployment.energy import energy_after_convnet
from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import InputCode
from deepstdp.deployment.layer import IFLayer
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.reduction import SpikingReduction

T = 32


def chain(kind: str = "constant") -> AllSpiking:
    """Two channels, each its own neuron; the reduction tells which of them is the brighter."""
    weight = torch.eye(2)[:, :, None, None]
    connection = Connection(weight, torch.zeros(2), 1, 0, (2, 1, 1))
    code = InputCode(kind, 1.0, None, 0)
    if kind == "poisson":
        connection = code.receive(connection)
    layer = IFLayer(connection, 1.0, 0.5, "soft", 1.0)
    difference = torch.tensor([[1.0], [-1.0]])
    reduction = SpikingReduction(difference, torch.zeros(1), threshold=1.0, wanted=0.5)
    clusterer = STDPPseudoLabels(2, 0, STDPConfig(n_timesteps=T, eta=0.2))
    signs = torch.tensor([[1.0], [-1.0]]).repeat(20, 1)
    clusterer.fit_predict(signs)
    return AllSpiking(SpikingNetwork(code, [layer]), reduction, clusterer, T)


def images(n: int) -> torch.Tensor:
    """The first and the second channel bright by turns."""
    pair = torch.tensor([[0.9, 0.1], [0.1, 0.9]])[:, :, None, None]
    return pair.repeat(n // 2, 1, 1, 1)


def test_each_kind_of_image_has_its_neuron():
    found = chain().clusters(images(10))
    assert found[0] != found[1]
    assert torch.equal(found, found[:2].repeat(5))


def test_learning_leaves_the_neurons_that_it_began_with():
    before = chain()
    kept = {name: value.clone() for name, value in before.clusterer.state().items()}
    # The first kind of image alone, so that synapses and thresholds have something to follow.
    after = before.learnt([images(10)[::2], images(10)[::2]])
    for name, value in before.clusterer.state().items():
        assert torch.equal(value, kept[name]), name
    moved = after.clusterer.state()
    assert not torch.equal(moved["neurons.theta"], kept["neurons.theta"])
    assert moved["n_passes"] == kept["n_passes"] + 1
    assert torch.equal(after.clusters(images(10)), before.clusters(images(10)))


def test_poisson_spikes_are_other_ones_for_each_image_of_each_batch():
    """Two batches of the same images teach something else than one batch shown twice would."""
    first, second = chain("poisson")._whole([images(10), images(10)])
    assert not torch.equal(first.words, second.words)


def test_operations():
    """Two channels at rates 0.9 and 0.1, an on and an off neuron, two STDP neurons."""
    pipeline = chain()
    found = pipeline.operations(images(2))
    (spikes, reduced), *rest = pipeline._reduced(images(2), 0)
    assert not rest
    # 0.9 * 32 + 0.5 = 29.3 and 0.1 * 32 + 0.5 = 3.7: 32 spikes an image, each to two neurons
    assert found.reduction == 2 * (29 + 3)
    assert spikes.sum() == 2 * (29 + 3)
    assert found.biases == 2 * T
    assert found.clustering == 2 * reduced.sum() / 2
    assert found.clustering > 0
    joules = energy_after_convnet(found, reduction_macs=10, in_whole_numbers=True)
    assert joules["reduction"] == pytest.approx(0.9e-6 * (64 + 64))
    assert joules["float_reduction"] == pytest.approx(46e-6)
    assert joules["clustering"] == pytest.approx(0.1e-6 * reduced.sum().item())
    in_floats = energy_after_convnet(found, reduction_macs=10, in_whole_numbers=False)
    assert in_floats["clustering"] == pytest.approx(0.9e-6 * reduced.sum().item())
