"""Resizing of images that are already a tensor."""

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional


def resize(images: UInt8[Tensor, "n c h w"], size: int | None) -> UInt8[Tensor, "n c h2 w2"]:
    """Scale to ``size`` x ``size`` (antialiased, bilinear); None keeps the images as they are."""
    if size is None or images.shape[-2:] == (size, size):
        return images
    scaled = functional.interpolate(
        images.to(torch.float32), size=(size, size), mode="bilinear", antialias=True
    )
    return scaled.round_().clamp_(0, 255).to(torch.uint8)
