"""A network that is named by ``backbone.class_path``: fast, with many features."""

from torch import Tensor, nn


class Patches(nn.Module):
    """One convolution over patches."""

    def __init__(self, in_channels: int = 3, width: int = 32, patch: int = 8) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, width, patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        return self.convolution(images).relu().flatten(1)
