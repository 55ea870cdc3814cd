"""Images in an array file that is mapped, not read: a batch copies its own rows."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from deepstdp.data.images import Images, Part
from deepstdp.data.resize import resize


class Mapped(Images):
    """Rows of a memory map.

    Args:
        array: (N, C, H, W), a view of the map.
        rows: which of them, in order.
        size: side length to which each batch is resized; None keeps the images as they are.
        device: where batches are handed out.
    """

    def __init__(
        self,
        array: UInt8[np.ndarray, "n c h w"],
        rows: Int64[np.ndarray, "m"],
        size: int | None,
        device: torch.device | None = None,
    ) -> None:
        self._array, self._rows, self._size = array, rows, size
        self._device = device or torch.device("cpu")
        channels, height, width = array.shape[1:]
        self.shape = (channels, size or height, size or width)

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, parts: Sequence[Part]) -> Iterator[UInt8[Tensor, "b c h w"]]:
        """Copies of rows."""
        for part in parts:
            rows = self._array[self._rows[part.cpu().numpy()]]
            yield resize(torch.from_numpy(np.ascontiguousarray(rows)), self._size).to(self._device)

    def select(self, indices: Part) -> "Mapped":
        """Some of the rows."""
        return Mapped(self._array, self._rows[indices.cpu().numpy()], self._size, self._device)

    def to(self, device: torch.device) -> "Mapped":
        """The same rows."""
        return Mapped(self._array, self._rows, self._size, device)
