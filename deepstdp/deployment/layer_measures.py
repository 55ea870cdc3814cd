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


def measure_layers(
    network: SpikingNetwork,
    connections: Sequence[Connection],
    images: Float[Tensor, "n c h w"],
    n_steps: int,
) -> list[LayerMeasure]:
    """Run images once, and look at every layer.

    Args:
        network: the spiking network.
        connections: the ConvNet that it stands for, folded.
        images: behind the front end, not among those that the network was fitted to.
        n_steps: T.
    """
    fans = [layer.connection.fan_out().permute(1, 2, 0).long() for layer in network.layers]
    n_operations, n_spikes = [0] * len(connections), [0] * len(connections)
    wrong, right = [0.0] * len(connections), [0.0] * len(connections)
    first = 0
    for start, answers in network.run(images, n_steps):
        activations = images[first : first + len(answers[0])]
        first += len(activations)
        incoming: Spikes | Constant = start
        for i, (connection, layer) in enumerate(zip(connections, network.layers, strict=True)):
            if not isinstance(incoming, Constant):
                received = incoming.sum(dim=(0, 1), dtype=torch.int64)
                n_operations[i] += int((received * fans[i]).sum())
            incoming, activations = answers[i], connection.activations(activations)
            n_spikes[i] += int(incoming.sum(dtype=torch.int64))
            wrong[i] += (layer.activations(incoming) - activations).square().sum().item()
            right[i] += activations.square().sum().item()
    n, constant = len(images), network.code.kind == "constant"
    has_bias = [bool(layer.connection.bias.any()) for layer in network.layers]
    if constant:
        has_bias[0] = False
    n_neurons = [math.prod(connection.out_shape) for connection in connections]
    return [
        LayerMeasure(
            synapses=connection.n_synapses,
            neurons=n_neurons[i],
            synaptic_operations=n_operations[i] / n,
            macs=float(connection.n_synapses * n_steps) if constant and i == 0 else 0.0,
            bias_additions=float(has_bias[i] * n_steps * n_neurons[i]),
            firing_rate=n_spikes[i] / (n * n_steps * n_neurons[i]),
            relative_error=math.sqrt(wrong[i] / max(right[i], 1e-30)),
        )
        for i, connection in enumerate(connections)
    ]
