"""Images of one split, wherever they are: handed out batch by batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

Shape = tuple[int, int, int]
Part = Int64[Tensor, "_"]


class Images(ABC):
    """N uint8 images of one shape.

    Attributes:
        shape: (C, H, W), C = 1 or 3.
    """

    shape: Shape

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batches(self, parts: Sequence[Part]) -> Iterator[UInt8[Tensor, "b c h w"]]:
        """The images at each part's indices, part after part, on the device."""

    @abstractmethod
    def select(self, indices: Part) -> "Images":
        """The images at ``indices`` alone."""

    @abstractmethod
    def to(self, device: torch.device) -> "Images":
        """The same images, handed out on ``device``."""

    def take(self, indices: Part) -> UInt8[Tensor, "b c h w"]:
        """The images at ``indices``, at once."""
        return next(self.batches([indices]))


class InMemory(Images):
    """Images that were decoded once into a tensor.

    Args:
        tensor: (N, C, H, W).
    """

    def __init__(self, tensor: UInt8[Tensor, "n c h w"]) -> None:
        self.tensor = tensor
        channels, height, width = tensor.shape[1:]
        self.shape = (channels, height, width)

    def __len__(self) -> int:
        return len(self.tensor)

    def batches(self, parts: Sequence[Part]) -> Iterator[UInt8[Tensor, "b c h w"]]:
        """Rows of the tensor."""
        for part in parts:
            yield self.tensor[part.to(self.tensor.device)]

    def select(self, indices: Part) -> "InMemory":
        """A tensor of some rows."""
        return InMemory(self.tensor[indices])

    def to(self, device: torch.device) -> "InMemory":
        """All images moved to ``device``."""
        return InMemory(self.tensor.to(device))


def ranges(start: int, stop: int, size: int) -> list[Part]:
    """The indices from start to stop in parts of a size."""
    return list(torch.arange(start, stop).split(size)) if stop > start else []
