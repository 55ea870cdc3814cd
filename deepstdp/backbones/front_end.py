"""What every image passes before the first learnt layer."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional


class Normalise(nn.Module):
    """Subtract mean and divide by standard deviation of (some) training images, by channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Float[Tensor, "c"], std: Float[Tensor, "c"]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    @classmethod
    def fit(cls, images: UInt8[Tensor, "n c h w"]) -> "Normalise":
        """Measure the images (a constant channel keeps its scale)."""
        # How often each of the 256 values occurs tells both, and takes no memory to speak of.
        channels = [torch.bincount(c.reshape(-1), minlength=256) for c in images.movedim(1, 0)]
        counts = torch.stack(channels).double().cpu()
        share, values = counts / images[:, 0].numel(), torch.arange(256).double() / 255
        mean = share @ values
        variance = (share * (values - mean[:, None]).square()).sum(dim=1)
        std = variance.sqrt()
        return cls(mean.float(), torch.where(std < 1e-6, 1.0, std).float())

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise images in [0, 1]."""
        return (images - self.mean[:, None, None]) / self.std[:, None, None]


class Sobel(nn.Module):
    """Horizontal and vertical edges of the mean channel: colour is gone, and cannot be a shortcut.

    One fixed 3x3 convolution, so that it converts as any other layer does.
    """

    weight: Tensor

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        edge = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
        kernels = torch.stack([edge, edge.T])[:, None] / in_channels
        self.register_buffer("weight", kernels.expand(2, in_channels, 3, 3).contiguous())

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 2 h w"]:
        """Edges; the border is repeated outwards, so that the frame is no edge."""
        return functional.conv2d(
            functional.pad(images, (1, 1, 1, 1), mode="replicate"), self.weight
        )
