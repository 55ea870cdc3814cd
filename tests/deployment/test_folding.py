"""The folded chain computes what the network computes; what cannot be folded is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deepstdp.backbones import build_network
from deepstdp.backbones.clipped_relu import ClippedReLU
from deepstdp.config import BackboneConfig
from deepstdp.deployment.folding import Connection, fold
from deepstdp.errors import UserError


def settled(backbone: nn.Module, x: torch.Tensor) -> nn.Module:
    """In eval mode, with running statistics and affine parameters that are not trivial."""
    generator = torch.Generator().manual_seed(1)
    backbone.train()(x)
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 2, generator=generator)
            layer.bias.data.normal_(generator=generator)
    return backbone.eval()


def through(chain: list[Connection], x: torch.Tensor) -> torch.Tensor:
    for connection in chain:
        assert x.shape[1:] == connection.shape
        x = connection.activations(x)
        assert x.shape[1:] == connection.out_shape
    return x.flatten(1)


@pytest.mark.parametrize("name", ["vgg-small", "vgg15"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_built_in_networks(name, batch_norm):
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    config = BackboneConfig(name=name, batch_norm=batch_norm, sobel=True)
    network = build_network(config, images, n_clusters=5, seed=0)
    with torch.no_grad():
        x = network.front_end(images / 255)
        backbone = settled(network.backbone, x)
        chain = fold(backbone, tuple(x.shape[1:]))
        torch.testing.assert_close(through(chain, x), backbone(x), rtol=1e-3, atol=1e-4)
    assert len(chain) == sum(isinstance(m, nn.Conv2d | nn.Linear) for m in backbone.modules())


def test_clipped_relus_keep_ceiling_and_levels():
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    network = build_network(BackboneConfig(levels=8), images, n_clusters=5, seed=0)
    with torch.no_grad():
        backbone = settled(network.backbone, network.front_end(images / 255))
        for i, layer in enumerate(m for m in backbone.modules() if isinstance(m, ClippedReLU)):
            layer.ceiling.fill_(1.0 + i)
        x = network.front_end(images / 255)
        chain = fold(backbone, tuple(x.shape[1:]))
        assert [c.ceiling for c in chain] == [1.0, 2.0, 3.0, 4.0]
        # Folded sums differ in the last bit, and a few values at the edge of a level with them.
        same = (through(chain, x) - backbone(x)).abs() < 1e-4
        assert same.float().mean() > 0.99
        assert len(through(chain, x).unique()) <= 9


@given(
    st.integers(1, 3), st.integers(1, 2), st.integers(0, 1), st.integers(1, 2), st.integers(1, 2)
)
@settings(max_examples=30)
def test_pooling_on_both_sides_of_a_convolution(kernel, stride, padding, before, after):
    torch.manual_seed(0)
    x = torch.randn(2, 2, 16, 16)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(before)),
        nn.Conv2d(3, 4, kernel, stride, padding),
        nn.BatchNorm2d(4),
        nn.ReLU(),
    )
    side = network(x).shape[-1]
    pooled = nn.Sequential(*network[:3], nn.AvgPool2d(after), nn.ReLU())
    with torch.no_grad():
        settled(pooled, x)
        if side % after:
            with pytest.raises(UserError, match="leaves a rest"):
                fold(pooled, (2, 16, 16))
        else:
            chain = fold(pooled, (2, 16, 16))
            torch.testing.assert_close(
                through(chain, x), pooled(x).flatten(1), rtol=1e-4, atol=1e-5
            )


def test_a_hidden_layer_behind_pooling_and_dropout():
    torch.manual_seed(0)
    x = torch.randn(4, 1, 4, 4)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(),
        nn.Linear(8, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(),
    )  # fmt: skip
    with torch.no_grad():
        settled(network, x)
        chain = fold(network, (1, 4, 4))
        torch.testing.assert_close(through(chain, x), network(x), rtol=1e-4, atol=1e-5)
    assert [c.out_shape for c in chain] == [(2, 4, 4), (5, 1, 1), (3, 1, 1)]


def test_double_precision_folds_too():
    torch.manual_seed(0)
    x = torch.randn(4, 1, 4, 4).double()
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).double()
    with torch.no_grad():
        settled(network, x)
        chain = fold(network, (1, 4, 4))
        torch.testing.assert_close(through(chain, x.float()).double(), network(x).flatten(1))


def test_synapses_by_hand():
    one = Connection(torch.ones(2, 1, 3, 3), torch.zeros(2), 1, 1, (1, 3, 3))
    # The corner is seen from 4 places, the edge from 6, the centre from 9; by 2 channels each.
    assert one.fan_out().tolist() == [[[8, 12, 8], [12, 18, 12], [8, 12, 8]]]
    assert one.n_synapses == 98
    strided = Connection(torch.ones(1, 1, 2, 2), torch.zeros(1), 2, 0, (1, 5, 5))
    assert strided.fan_out()[0, 4].tolist() == [0, 0, 0, 0, 0]
    assert strided.n_synapses == 16


@pytest.mark.parametrize(
    ("layers", "what"),
    [
        ([nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.ReLU()], "MaxPool2d"),
        ([nn.Conv2d(1, 1, 1)], "a last layer that is no ReLU"),
        ([nn.Conv2d(1, 1, 1), nn.ReLU(), nn.AvgPool2d(2)], "a last layer that is no ReLU"),
        ([nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.ReLU()], "without a ReLU between"),
        ([nn.BatchNorm2d(1), nn.ReLU()], "BatchNorm that follows no learnt layer"),
        ([nn.ReLU(), nn.Conv2d(1, 1, 1), nn.ReLU()], "a ReLU that follows no learnt layer"),
        ([nn.Conv2d(1, 1, 3, dilation=2), nn.ReLU()], "dilation"),
        ([nn.Conv2d(1, 1, 1), nn.AvgPool2d(3, 2), nn.ReLU()], "windows that overlap"),
        ([nn.Conv2d(1, 1, 1), nn.AvgPool2d(2, divisor_override=1)], "divisor"),
        ([nn.Linear(4, 2), nn.ReLU()], "does not see all units"),
        ([nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, track_running_stats=False)], "statistics"),
    ],
)
def test_what_no_neuron_stands_for_is_refused(layers, what):
    with pytest.raises(UserError, match=what):
        fold(nn.Sequential(*layers), (1, 4, 4))
