"""What each layer of a spiking network does for an image, and how near the ConvNet's it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import Constant, Spikes
from deepstdp.deployment.network import SpikingNetwork


@dataclass(frozen=True)
class LayerMeasure:
    """A layer, for one image, on average.

    Attributes:
        synapses: MACs of the folded ConvNet.
        neurons: that there are.
        synaptic_operations: spikes times the synapses that each reaches (ACs).
        macs: of constant inputs, over all steps.
        bias_additions: to membranes, over all steps; a constant input's MACs have them included.
        firing_rate: spikes a neuron and step.
        relative_error: ||rates scale - activations|| / ||activations||.
    """

    synapses: int
    neurons: int
    synaptic_operations: float
    macs: float
    bias_additions: float
    firing_rate: float
    relative_error: float


@dataclass
class _Sums:
    """Over images, of one layer after so many steps."""

    operations: int = 0
    spikes: int = 0
    wrong: float = 0.0
    right: float = 0.0


def measure_layers(
    network: SpikingNetwork,
    connections: Sequence[Connection],
    images: Float[Tensor, "n c h w"],
    steps: Sequence[int],
) -> list[list[LayerMeasure]]:
    """Run images once, and look at every layer after so many steps.

    Args:
        network: the spiking network.
        connections: the ConvNet that it stands for, folded.
        images: behind the front end, not among those that the network was fitted to.
        steps: in rising order.

    Returns:
        For each of ``steps``, the layers.
    """
    fans = [layer.connection.fan_out().permute(1, 2, 0).long() for layer in network.layers]
    sums = [[_Sums() for _ in connections] for _ in steps]
    first = 0
    for start, answers in network.run(images, steps[-1]):
        activations = images[first : first + len(answers[0])]
        first += len(activations)
        incoming: Spikes | Constant = start
        for i, (connection, layer) in enumerate(zip(connections, network.layers, strict=True)):
            received, incoming = incoming, answers[i]
            activations = connection.activations(activations)
            right = activations.square().sum().item()
            for n_steps, of_layers in zip(steps, sums, strict=True):
                own, answer = of_layers[i], answers[i][:, :n_steps]
                if not isinstance(received, Constant):
                    spikes = received[:, :n_steps].sum(dim=(0, 1), dtype=torch.int64)
                    own.operations += int((spikes * fans[i]).sum())
                own.spikes += int(answer.sum(dtype=torch.int64))
                own.wrong += (layer.activations(answer) - activations).square().sum().item()
                own.right += right
    return [
        [
            _measure(network, connections[i], i, own, len(images), n_steps)
            for i, own in enumerate(of_layers)
        ]
        for n_steps, of_layers in zip(steps, sums, strict=True)
    ]


def _measure(
    network: SpikingNetwork, connection: Connection, i: int, sums: _Sums, n: int, n_steps: int
) -> LayerMeasure:
    """What layer ``i`` did for ``n`` images in ``n_steps`` steps, for an image."""
    takes_constant = network.code.kind == "constant" and i == 0
    has_bias = bool(network.layers[i].connection.bias.any()) and not takes_constant
    n_neurons = math.prod(connection.out_shape)
    return LayerMeasure(
        synapses=connection.n_synapses,
        neurons=n_neurons,
        synaptic_operations=sums.operations / n,
        macs=float(connection.n_synapses * n_steps) if takes_constant else 0.0,
        bias_additions=float(has_bias * n_steps * n_neurons),
        firing_rate=sums.spikes / (n * n_steps * n_neurons),
        relative_error=math.sqrt(sums.wrong / max(sums.right, 1e-30)),
    )
