"""The ConvNet's front end from its numbers alone, in NumPy: what a chip's host has to compute."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from deepstdp.backbones import Network
from deepstdp.files import Record


@dataclass(frozen=True)
class FrontEnd:
    """How images become what the first layer receives.

    x <- (x / 255 - mean) / std for each channel; with ``sobel``, of the mean m over channels, the
    edges (m_right - m_left) and (m_below - m_above), each smoothed by [1 2 1] / 4 along the edge,
    the border being repeated outwards.

    Attributes:
        mean: by channel.
        std: by channel.
        sobel: whether edges take the place of colours.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    sobel: bool

    @classmethod
    def of(cls, network: Network, sobel: bool) -> "FrontEnd":
        """That of a trained network."""
        state = {name.split(".")[-1]: v for name, v in network.front_end.state_dict().items()}
        return cls(tuple(state["mean"].tolist()), tuple(state["std"].tolist()), sobel)

    @classmethod
    def read(cls, info: Any) -> "FrontEnd":
        """That of a file.

        Raises:
            TypeError: it says something else.
            ValueError: the same.
        """
        mean, std = (tuple(float(value) for value in info[name]) for name in ("mean", "std"))
        if len(mean) != len(std) or not all(value > 0 for value in std):
            raise ValueError("no mean and standard deviation of each channel")
        return cls(mean, std, bool(info["sobel"]))

    def record(self) -> Record:
        """For the file."""
        return asdict(self)

    def __call__(self, images: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n o h w"]:
        """What becomes of images."""
        mean, std = (np.array(values)[:, None, None] for values in (self.mean, self.std))
        x = (images / 255 - mean) / std
        if not self.sobel:
            return x
        m = np.pad(x.mean(axis=1), ((0, 0), (1, 1), (1, 1)), mode="edge")
        across, down = m[:, :, 2:] - m[:, :, :-2], m[:, 2:] - m[:, :-2]
        horizontal = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
        vertical = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
        return np.stack([horizontal, vertical], axis=1) / 4
