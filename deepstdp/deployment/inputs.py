"""How images reach the first layer of a spiking network."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from deepstdp.backbones import Network
from deepstdp.data.images import Images
from deepstdp.deployment.folding import Connection, Shape
from deepstdp.keyed_random import Stream
from deepstdp.model import FEATURE_BATCH
from deepstdp.spiking import encoding
from deepstdp.spiking.encoding import SpikeKeys
from deepstdp.spiking.inputs import RateInput

Spikes = UInt8[Tensor, "b t h w i"]
"""How often each channel at each place fires in each step, channels last."""


@dataclass(frozen=True)
class Constant:
    """Values that stay the same in all steps.

    Attributes:
        values: (B, C, H, W).
        n_steps: T.
    """

    values: Float[Tensor, "b c h w"]
    n_steps: int


@dataclass(frozen=True)
class InputCode:
    """From images behind the front end to what the first layer receives.

    ``constant``: the images, the same in each step. ``poisson``: an on and an off channel for
    each of theirs, which spike at the rates clip(x / scale, 0, 1) and clip(-x / scale, 0, 1).

    Attributes:
        kind: which of them.
        scale: what one unit, or one spike in every step, stands for.
        bound: the largest whole number that a constant takes; None for real numbers.
        seed: of the spikes.
    """

    kind: Literal["constant", "poisson"]
    scale: float
    bound: int | None
    seed: int

    def __post_init__(self) -> None:
        if self.kind not in ("constant", "poisson"):
            raise ValueError(f"an input code is constant or poisson, not {self.kind}")
        if not 0 < float(self.scale) < math.inf or (self.bound is not None and self.bound < 1):
            raise ValueError("scale and bound of an input code are positive")

    def encode(
        self, images: Float[Tensor, "b c h w"], n_steps: int, first: int = 0
    ) -> Spikes | Constant:
        """What images become.

        Args:
            images: behind the front end.
            n_steps: T.
            first: number of the first of them, which keys its spikes.
        """
        scaled = images / self.scale
        if self.kind == "constant":
            if self.bound is not None:
                scaled = scaled.round().clamp(-self.bound, self.bound)
            return Constant(scaled, n_steps)
        n, channels, height, width = images.shape
        ids = torch.arange(first, first + n, device=images.device)
        keys = SpikeKeys.of(self.seed, Stream.IMAGE_SPIKES, ids, 0)
        trains = RateInput(encoding.quantise(scaled.flatten(1), 1.0), keys).trains(n_steps)
        by_channel = trains.view(n, n_steps, 2 * channels, height, width).permute(0, 1, 3, 4, 2)
        return by_channel.to(torch.uint8)

    def receive(self, connection: Connection) -> Connection:
        """The first connection, for the channels that there are: off channels count negative."""
        if self.kind == "constant":
            return connection
        channels, height, width = connection.shape
        weight = torch.cat([connection.weight, -connection.weight], dim=1)
        return replace(connection, weight=weight, shape=(2 * channels, height, width))

    def shape_before(self, shape: Shape) -> Shape:
        """(C, H, W) of the images that become inputs of a shape."""
        channels, height, width = shape
        return (channels if self.kind == "constant" else channels // 2), height, width


def behind_front_end(
    network: Network, images: Images, rows: Int64[Tensor, "m"]
) -> Iterator[Float[Tensor, "b c h w"]]:
    """Images as they leave the ConvNet's front end, batch by batch."""
    dtype = torch.float32
    for part in images.batches(list(rows.split(FEATURE_BATCH))):
        with torch.no_grad():
            yield network.front_end(part.to(dtype) / 255).to(dtype)
