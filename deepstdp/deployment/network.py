"""A spiking network: an input code, and layers of integrate-and-fire neurons."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.deployment.inputs import Constant, InputCode, Spikes
from deepstdp.deployment.layer import SpikingLayer

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
    layers: list[SpikingLayer]

    def run(
        self, images: Float[Tensor, "n c h w"], n_steps: int, number: int = 0
    ) -> Iterator[tuple[Spikes | Constant, list[Spikes]]]:
        """What every layer receives and answers, batch after batch.

        Args:
            images: behind the ConvNet's front end.
            n_steps: T.
            number: of the first image, which keys its spikes.
        """
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
