"""Convolutional networks that convert to integrate-and-fire neurons.

No bias, ReLU everywhere, average pooling before a block's last ReLU: each unit is then the rate
of a neuron. The shape is that of VGG (Simonyan and Zisserman 2015).
"""

import math

from jaxtyping import Float
from torch import Generator, Tensor, nn

from deepstdp.backbones.clipped_relu import ClippedReLU
from deepstdp.errors import UserError

Plan = tuple[tuple[int, ...], ...]
"""Channels of the convolutions, block by block; each block ends in a stride-2 average pooling."""

VGG15_PLAN: Plan = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
VGG15_HIDDEN = 4096
VGG_SMALL_PLAN: Plan = ((32,), (64,), (128,), (256,))


class VGG(nn.Sequential):
    """(B, C, H, W) images to (B, D) rates: blocks of 3x3 convolutions, then perhaps a linear layer.

    Args:
        in_channels: channels of the images.
        image_size: side length of the images; at least 2 for each pooling to halve.
        plan: the convolutions.
        n_hidden: units of a linear layer after the convolutions; None leaves it out, so that the
            features are the units of the last block.
        batch_norm: normalise after each convolution and the linear layer.
        levels: of a clipped ReLU; 0 is a plain one.
        generator: of the initial weights (He-normal).

    Attributes:
        n_features: units of the last layer (D).

    Raises:
        UserError: images too small for the poolings of the plan.
    """

    def __init__(
        self,
        in_channels: int,
        image_size: int,
        plan: Plan,
        n_hidden: int | None,
        batch_norm: bool,
        levels: int,
        generator: Generator,
    ) -> None:
        smallest = 2 ** len(plan)
        if image_size < smallest:
            raise UserError(
                f"images of {image_size} pixels are too small for this backbone: "
                f"data.image_size must be at least {smallest}"
            )
        layers: list[nn.Module] = []
        channels, side = in_channels, image_size
        for block in plan:
            for position, width in enumerate(block):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(width))
                if position == len(block) - 1:
                    layers.append(nn.AvgPool2d(2))
                layers.append(_relu(levels))
                channels = width
            side //= 2
        layers.append(nn.Flatten())
        n_features = channels * side * side
        if n_hidden is not None:
            layers.append(nn.Linear(n_features, n_hidden, bias=False))
            if batch_norm:
                layers.append(nn.BatchNorm1d(n_hidden))
            layers.append(_relu(levels))
            n_features = n_hidden
        super().__init__(*layers)
        self.n_features = n_features
        initialise(self, generator)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Features after the last ReLU."""
        return super().forward(images)


def _relu(levels: int) -> nn.Module:
    return ClippedReLU(levels) if levels else nn.ReLU()


def initialise(module: nn.Module, generator: Generator) -> None:
    """He-normal weights, std = sqrt(2 / fan_in) (He et al. 2015), and no bias.

    A pooling between a layer and its ReLU halves the standard deviation of what it averages at
    most, so activations keep their scale through depth.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = math.prod(layer.weight.shape[1:])
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / fan_in), generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
