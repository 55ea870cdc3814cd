"""A spiking network: an input code, and layers of integrate-and-fire neurons."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.deployment.inputs import Constant, InputCode, Spikes
from deepstdp.deployment.layer import IFLayer
from deepstdp.errors import UserError

_MOST_BYTES = 1 << 27
"""Spikes of one layer that are held at once."""


@dataclass(frozen=True)
class SpikingNetwork:
    """Layers of integrate-and-fire neurons.

    Attributes:
        code: of the input.
        layers: from the input on.
    """

    code: InputCode
    layers: list[IFLayer]

    def run(
        self, images: Float[Tensor, "n c h w"], n_steps: int, number: int = 0
    ) -> Iterator[tuple[Spikes | Constant, list[Spikes]]]:
        """What every layer receives and answers, batch after batch.

        Args:
            images: behind the ConvNet's front end.
            n_steps: T.
            number: of the first image, which keys its spikes.

        Raises:
            UserError: the images are of another size.
        """
        expected = self.code.shape_before(self.layers[0].connection.shape)
        if tuple(images.shape[1:]) != expected:
            raise UserError(
                f"the spiking network takes images of shape {expected} behind the front end, "
                f"not {tuple(images.shape[1:])}"
            )
        shapes = [layer.connection.shape for layer in self.layers]
        shapes.append(self.layers[-1].connection.out_shape)
        largest = max(channels * height * width for channels, height, width in shapes)
        size = max(1, _MOST_BYTES // (largest * n_steps))
        for first in range(0, len(images), size):
            start = incoming = self.code.encode(
                images[first : first + size], n_steps, number + first
            )
            answers = []
            for layer in self.layers:
                incoming = layer.answer(incoming)
                answers.append(incoming)
            yield start, answers

    def counts(self, images: Float[Tensor, "n c h w"], n_steps: int) -> Int64[Tensor, "n d"]:
        """Spikes of the last layer's neurons, in the order of the ConvNet's features.

        Args:
            images: behind the front end.
            n_steps: T.
        """
        parts = [
            answers[-1].sum(dim=1, dtype=torch.int64).permute(0, 3, 1, 2).flatten(1)
            for _, answers in self.run(images, n_steps)
        ]
        return torch.cat(parts)

    def features(
        self, images: Float[Tensor, "n c h w"], steps: list[int]
    ) -> list[Float[Tensor, "n d"]]:
        """The ConvNet's features, as the last layer's spikes tell them after so many steps.

        Args:
            images: behind the front end.
            steps: in rising order; the network runs once, for the last of them.
        """
        parts: list[list[Tensor]] = [[] for _ in steps]
        for _, answers in self.run(images, steps[-1]):
            for part, n_steps in zip(parts, steps, strict=True):
                part.append(self.layers[-1].activations(answers[-1][:, :n_steps]).flatten(1))
        return [torch.cat(part) for part in parts]
