"""The network that is trained: front end, backbone and a head that can be made anew."""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from deepstdp.backbones.front_end import Normalise, Sobel
from deepstdp.backbones.vgg import (
    VGG,
    VGG15_HIDDEN,
    VGG15_PLAN,
    VGG_SMALL_PLAN,
)
from deepstdp.config import BackboneConfig
from deepstdp.errors import UserError, first_line
from deepstdp.imports import build
from deepstdp.keyed_random import Stream, torch_generator

_BUILT_IN = {
    "vgg15": (VGG15_PLAN, VGG15_HIDDEN),
    "vgg-small": (VGG_SMALL_PLAN, None),
}


class Network(nn.Module):
    """Images in [0, 1] to features, features to logits.

    Attributes:
        front_end: normalisation, and Sobel if asked for.
        backbone: (B, C, H, W) to (B, D), not negative.
        head: a linear layer over the K clusters, perhaps after a hidden one.
        n_features: D.
    """

    def __init__(
        self,
        front_end: nn.Module,
        backbone: nn.Module,
        n_features: int,
        n_clusters: int,
        n_hidden: int = 0,
    ) -> None:
        super().__init__()
        self.front_end = front_end
        self.backbone = backbone
        self.n_features = n_features
        self.head: nn.Module = nn.Linear(n_hidden or n_features, n_clusters)
        if n_hidden:
            hidden = nn.Linear(n_features, n_hidden, bias=False)
            self.head = nn.Sequential(hidden, nn.BatchNorm1d(n_hidden), nn.ReLU(), self.head)

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters."""
        return next(self.head.parameters()).dtype

    def features(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Rates of the last hidden layer."""
        return self.backbone(self.front_end(images))

    def forward(
        self, images: Float[Tensor, "b c h w"], mask: Float[Tensor, "b d"] | None = None
    ) -> Float[Tensor, "b k"]:
        """Logits over the clusters, from features times a dropout mask if there is one."""
        features = self.features(images)
        return self.head(features if mask is None else features * mask)

    def reset_head(self, seed: int, epoch: int) -> None:
        """Forget the head: a last layer of standard deviation 0.01 without bias, He-normal before.

        Small last weights make all clusters equally likely at first.
        """
        generator = torch_generator(seed, Stream.HEAD, epoch)
        layers = [m for m in self.head.modules() if isinstance(m, nn.Linear)]
        for layer in layers[::-1]:
            std = 0.01 if layer is layers[-1] else math.sqrt(2 / layer.in_features)
            weight = torch.empty(layer.weight.shape).normal_(0, std, generator=generator)
            with torch.no_grad():
                layer.weight.copy_(weight)
                if layer.bias is not None:
                    layer.bias.zero_()
        for module in self.head.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()


def build_network(
    config: BackboneConfig,
    images: UInt8[Tensor, "n c h w"],
    n_clusters: int,
    seed: int,
    backbone: nn.Module | None = None,
) -> Network:
    """Make the network for a set of training images, on the CPU.

    Args:
        config: which backbone.
        images: measured for the normalisation; their shape sets the layers' sizes.
        n_clusters: outputs of the head (K).
        seed: of the initial weights.
        backbone: a module of the user's own, in the place of the config's.

    Raises:
        UserError: images too small, or a backbone of the user's that gives no (B, D) features.
    """
    front_end: nn.Module = Normalise.fit(images)
    channels, size = images.shape[1], images.shape[2]
    if config.sobel:
        front_end = nn.Sequential(front_end, Sobel(channels))
        channels = 2
    if backbone is None and config.class_path is None:
        if images.shape[2] != images.shape[3]:
            raise UserError(
                f"{config.name} takes square images, these are "
                f"{images.shape[3]}x{images.shape[2]}: give --data.image_size"
            )
        plan, n_hidden = _BUILT_IN[config.name]
        generator = torch_generator(seed, Stream.INITIAL_WEIGHTS)
        shape = (channels, size, plan, n_hidden)
        backbone = VGG(*shape, config.batch_norm, config.levels, generator)
        n_features = backbone.n_features
    else:
        backbone = (backbone or _import_backbone(config, seed)).cpu()
        n_features = _count_features(backbone, (channels, *images.shape[2:]))
    network = Network(front_end.cpu(), backbone, n_features, n_clusters, config.head_hidden)
    network.reset_head(seed, epoch=0)
    return network


def _import_backbone(config: BackboneConfig, seed: int) -> nn.Module:
    assert config.class_path is not None
    # A module of the user's draws its weights from the global generator: lend it a seeded one.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = build(config.class_path, config.init_args)
    if not isinstance(backbone, nn.Module):
        raise UserError(f"backbone.class_path {config.class_path} is not a torch.nn.Module")
    return backbone


def _count_features(backbone: nn.Module, shape: tuple[int, ...]) -> int:
    """Features of the user's module, found by trying it."""
    name, was_training = type(backbone).__name__, backbone.training
    try:
        with torch.no_grad():
            features = backbone.eval()(torch.zeros(2, *shape))
    except Exception as error:
        reason = first_line(error)
        raise UserError(f"backbone {name} fails on images of shape {shape}: {reason}") from None
    backbone.train(was_training)
    if features.ndim != 2 or len(features) != 2:
        raise UserError(
            f"backbone {name} must give features of shape (B, D), not {tuple(features.shape)}: "
            "flatten them"
        )
    return features.shape[1]
