"""What a spiking network computes for an image, against the ConvNet, and the joules of both.

A synaptic operation is one spike at one synapse: an addition (AC). A ConvNet multiplies and adds at
each synapse once (MAC). Zeros of the padding count for neither. A constant input is no spike: its
synapses are counted as MACs in every step.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import Constant, Spikes
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.files import Record


@dataclass(frozen=True)
class Assumption:
    """Energy of an operation on a chip of 45 nm (Horowitz, ISSCC 2014), memory not counted.

    Attributes:
        name: of the arithmetic.
        picojoules_ac: of an addition.
        picojoules_mac: of a multiplication and an addition.
    """

    name: str
    picojoules_ac: float
    picojoules_mac: float


ASSUMPTIONS = (Assumption("float32", 0.9, 4.6), Assumption("int8", 0.03, 0.23))


@dataclass
class LayerCount:
    """Operations of a layer for one image, on average.

    Attributes:
        synapses: MACs of the folded ConvNet.
        neurons: that there are.
        synaptic_operations: spikes times the synapses that each reaches (ACs).
        macs: of constant inputs, over all steps.
        firing_rate: spikes a neuron and step.
    """

    synapses: int
    neurons: int
    synaptic_operations: float = 0.0
    macs: float = 0.0
    firing_rate: float = 0.0


def count(
    network: SpikingNetwork,
    chain: Sequence[Connection],
    images: Float[Tensor, "n c h w"],
    n_steps: int,
) -> list[LayerCount]:
    """Run images and count, layer by layer.

    Args:
        network: the spiking network.
        chain: the ConvNet that it stands for.
        images: behind the front end.
        n_steps: T.
    """
    counts = [
        LayerCount(connection.n_synapses, math.prod(connection.out_shape)) for connection in chain
    ]
    fans = [layer.connection.fan_out().permute(1, 2, 0) for layer in network.layers]
    for start, answers in network.run(images, n_steps):
        incoming: Spikes | Constant = start
        for fan, found, spikes in zip(fans, counts, answers, strict=True):
            if isinstance(incoming, Constant):
                found.macs = float(found.synapses * n_steps)
            else:
                spikes_in = incoming.sum(dim=(0, 1), dtype=torch.int64)
                found.synaptic_operations += (spikes_in * fan.long()).sum().item() / len(images)
            n_spikes = spikes.sum(dtype=torch.int64).item()
            found.firing_rate += n_spikes / (len(images) * n_steps * found.neurons)
            incoming = spikes
    return counts


def energy(counts: Sequence[LayerCount], n_steps: int) -> Record:
    """Totals, and microjoules for an image under each assumption.

    ``spiking``: ACs of spikes and MACs of the constant input in every step. ``spiking_held``: the
    same with those MACs once, their currents being held and added to each neuron in every step.
    ``convnet``: MACs.
    """
    operations = sum(c.synaptic_operations for c in counts)
    macs, synapses = sum(c.macs for c in counts), sum(c.synapses for c in counts)
    held_macs, held_acs = (macs / n_steps, n_steps * counts[0].neurons) if macs else (0.0, 0)
    joules = {}
    for a in ASSUMPTIONS:
        spikes = operations * a.picojoules_ac
        held = held_acs * a.picojoules_ac + held_macs * a.picojoules_mac
        joules[a.name] = {
            "picojoules_ac": a.picojoules_ac,
            "picojoules_mac": a.picojoules_mac,
            "spiking": (spikes + macs * a.picojoules_mac) / 1e6,
            "spiking_held": (spikes + held) / 1e6,
            "convnet": synapses * a.picojoules_mac / 1e6,
        }
    return {
        "layers": [asdict(c) for c in counts],
        "synaptic_operations": operations,
        "constant_macs": macs,
        "convnet_macs": synapses,
        "microjoules": joules,
    }
