"""Deep-STDP in spikes from the image to the cluster, with no float feature in between.

ConvNet, reduction and STDP neurons hand each other spikes; the neurons can go on learning from
those that reach them, as they would on a chip.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from deepstdp.backbones import Network
from deepstdp.clustering import STDPPseudoLabels
from deepstdp.data.images import Images as StoredImages
from deepstdp.deployment.inputs import behind_front_end
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.reduction import SpikingReduction
from deepstdp.model import Model
from deepstdp.spiking.encoding import pack
from deepstdp.spiking.inputs import SpikeInput
from deepstdp.spiking.layer import label

Images = Float[Tensor, "n c h w"]

Trains = UInt8[Tensor, "_ t _"]
"""Spikes of each neuron in each step."""


def neurons_of(model: Model) -> STDPPseudoLabels | None:
    """A run's STDP neurons, if they take features as they are."""
    clusterer = model.clusterer
    is_direct = isinstance(clusterer, STDPPseudoLabels) and clusterer.encoding == "direct"
    return clusterer if is_direct else None  # type: ignore[return-value]


@dataclass(frozen=True)
class Operations:
    """Additions for an image, on average; inhibition, leaks and winners are not among them.

    Attributes:
        reduction: the ConvNet's spikes times the on and off neurons, all of which each reaches.
        biases: of these, over all steps.
        clustering: their spikes times the STDP neurons.
    """

    reduction: float
    biases: float
    clustering: float


@dataclass(frozen=True)
class AllSpiking:
    """The three parts, one behind the other.

    Attributes:
        network: the converted ConvNet.
        reduction: what follows.
        clusterer: the STDP neurons.
        n_steps: T of all three.
    """

    network: SpikingNetwork
    reduction: SpikingReduction
    clusterer: STDPPseudoLabels
    n_steps: int

    def clusters(self, images: Images, first: int = 0) -> Int64[Tensor, "n"]:
        """The neuron with most spikes for each image, with learning off.

        Args:
            images: behind the front end.
            first: number of the first of them, which keys Poisson spikes.
        """
        presented = self._presented(images, first)
        return label(self.clusterer.respond_to_spikes(presented, self.n_steps)).labels

    def clusters_of(self, network: Network, images: StoredImages) -> Int64[Tensor, "n"]:
        """The same for images as they are stored.

        Args:
            network: the run's ConvNet, whose front end they pass.
            images: of the run's size.
        """
        found, first = [], 0
        for batch in behind_front_end(network, images, torch.arange(len(images))):
            found.append(self.clusters(batch, first))
            first += len(batch)
        return torch.cat(found)

    def learnt(self, batches: Iterable[Images]) -> "AllSpiking":
        """The same after the STDP neurons have learnt from the spikes of images.

        Args:
            batches: of images behind the front end; those of a batch see the same synapses.
        """
        clusterer = copy.deepcopy(self.clusterer)
        clusterer.learn_from_spikes(self._whole(batches), self.n_steps)
        return replace(self, clusterer=clusterer)

    def _whole(self, batches: Iterable[Images]) -> Iterator[SpikeInput]:
        """What reaches the STDP neurons, batch by batch."""
        first = 0
        for images in batches:
            parts = [part.words for part in self._presented(images, first)]
            yield SpikeInput(torch.cat(parts))
            first += len(images)

    def operations(self, images: Images) -> Operations:
        """What follows the ConvNet adds for an image.

        Args:
            images: behind the front end.
        """
        n_neurons = 2 * len(self.reduction.bias)
        reached, presented = 0, 0
        for features, reduced in self._reduced(images, 0):
            reached += int(features.sum(dtype=torch.int64))
            presented += int(reduced.sum(dtype=torch.int64))
        return Operations(
            reduction=reached * n_neurons / len(images),
            biases=float(n_neurons * self.n_steps),
            clustering=presented * self.clusterer.n_clusters / len(images),
        )

    def _presented(self, images: Images, first: int) -> Iterator[SpikeInput]:
        """What reaches the STDP neurons, part by part."""
        for _, reduced in self._reduced(images, first):
            yield SpikeInput(pack(reduced))

    def _reduced(self, images: Images, first: int) -> Iterator[tuple[Trains, Trains]]:
        """Spikes that reach the reduction, and its own, part by part."""
        for _, answers in self.network.run(images, self.n_steps, first):
            last = answers[-1].permute(0, 1, 4, 2, 3).flatten(2)  # in the ConvNet's order
            yield last, self.reduction.answer(last)
