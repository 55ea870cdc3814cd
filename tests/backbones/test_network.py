import pytest
import torch
from torch import nn

from deepstdp.backbones import build_network
from deepstdp.config import BackboneConfig
from deepstdp.errors import UserError

IMAGES = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)


class Own(nn.Module):
    """A user's backbone."""

    def __init__(self, width: int = 5, flat: bool = True) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, width, 3)
        self.flat = flat

    def forward(self, x):
        y = torch.relu(self.layer(x))
        return y.mean(dim=(2, 3)) if self.flat else y


def test_shapes_and_parts():
    network = build_network(BackboneConfig(sobel=True), IMAGES, 7, seed=0)
    images = IMAGES / 255
    assert network.features(images).shape == (20, 256)
    assert network(images).shape == (20, 7)
    assert network.front_end[1](network.front_end[0](images)).shape == (20, 2, 16, 16)


def test_the_seed_decides_everything():
    a, b, c = (build_network(BackboneConfig(), IMAGES, 7, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])


def test_a_head_can_be_made_anew():
    network = build_network(BackboneConfig(), IMAGES, 7, seed=0)
    first = network.head.weight.clone()
    network.reset_head(0, epoch=3)
    assert not torch.equal(first, network.head.weight)
    network.reset_head(0, epoch=0)
    assert torch.equal(first, network.head.weight)


def test_own_module_by_object_and_by_import_path():
    by_object = build_network(BackboneConfig(), IMAGES, 4, 0, backbone=Own(6))
    assert by_object.n_features == 6
    config = BackboneConfig(class_path="tests.backbones.test_network.Own", init_args={"width": 9})
    a, b = (build_network(config, IMAGES, 4, seed=3) for _ in range(2))
    assert a.n_features == 9
    assert torch.equal(a.backbone.layer.weight, b.backbone.layer.weight)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BackboneConfig(class_path="no.such.Class"), "cannot be imported"),
        (BackboneConfig(class_path="Own"), "cannot be imported"),
        (BackboneConfig(class_path="builtins.dict"), "not a torch.nn.Module"),
        (
            BackboneConfig(class_path="tests.backbones.test_network.Own", init_args={"wide": 1}),
            "does not take these init_args",
        ),
        (
            BackboneConfig(
                class_path="tests.backbones.test_network.Own", init_args={"flat": False}
            ),
            r"features of shape \(B, D\)",
        ),
        (
            BackboneConfig(class_path="tests.backbones.test_network.Own", sobel=True),
            "fails on images of shape",
        ),
        (BackboneConfig(name="vgg15"), "too small"),
    ],
)
def test_what_cannot_be_built(config, message):
    with pytest.raises(UserError, match=message):
        build_network(config, IMAGES, 4, seed=0)


def test_images_that_are_not_square():
    with pytest.raises(UserError, match="square"):
        build_network(BackboneConfig(), IMAGES[..., :12], 4, seed=0)
