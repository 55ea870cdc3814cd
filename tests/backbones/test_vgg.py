import pytest
import torch
from torch import nn

from deepstdp.backbones.vgg import VGG, VGG15_HIDDEN, VGG15_PLAN, VGG_SMALL_PLAN
from deepstdp.errors import UserError


def vgg15(size=64, batch_norm=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return VGG(3, size, VGG15_PLAN, VGG15_HIDDEN, batch_norm, 0, generator)


def convolutions(network):
    layers = list(network)
    return nn.Sequential(*layers[: [type(layer) for layer in layers].index(nn.Flatten)])


def test_vgg15_has_thirteen_convolutions_and_converts():
    network = vgg15()
    kinds = [type(layer) for layer in network]
    assert kinds.count(nn.Conv2d) == 13
    assert kinds.count(nn.Linear) == 1
    assert kinds.count(nn.AvgPool2d) == 5
    assert set(kinds) == {nn.Conv2d, nn.Linear, nn.AvgPool2d, nn.ReLU, nn.Flatten}
    assert all(layer.bias is None for layer in network if hasattr(layer, "bias"))
    for position, kind in enumerate(kinds):
        if kind is nn.AvgPool2d:
            assert kinds[position - 1] is nn.Conv2d
            assert kinds[position + 1] is nn.ReLU
    channels = [layer.out_channels for layer in network if isinstance(layer, nn.Conv2d)]
    assert channels == [64, 64, 128, 128, 256, 256, 256, *[512] * 6]


def test_he_initialisation_keeps_the_scale_through_thirteen_layers():
    images = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    network = vgg15().eval()
    with torch.no_grad():
        last = convolutions(network)(images)
        features = network(images)
    assert 0.05 < last.std() < 2
    assert 0.05 < features.std() < 2
    assert (features >= 0).all()
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, a=5**0.5)
    with torch.no_grad():
        collapsed = convolutions(network)(images)
    assert collapsed.std() < 1e-3, "the framework's default is what this test guards against"


@pytest.mark.parametrize("size", [32, 48, 64])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_sizes_and_batch_norm(size, batch_norm):
    network = vgg15(size, batch_norm).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, size, size)).shape == (2, 4096)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in network) == batch_norm


def test_weights_follow_the_generator():
    a, b, c = (
        VGG(1, 16, VGG_SMALL_PLAN, 32, False, 0, torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    )
    assert torch.equal(a[0].weight, b[0].weight)
    assert not torch.equal(a[0].weight, c[0].weight)


def test_too_small_images():
    with pytest.raises(UserError, match="at least 32"):
        vgg15(16)
