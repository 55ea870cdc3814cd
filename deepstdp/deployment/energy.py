"""What a spiking network computes for an image, against the ConvNet, and the joules of both.

A synaptic operation is one spike at one synapse: an addition (AC). A ConvNet multiplies and adds at
each synapse once (MAC). Zeros of the padding count for neither. A constant input is no spike: its
synapses are counted as MACs in every step. A bias is an addition for each neuron in every step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deepstdp.deployment.all_spiking import Operations
from deepstdp.deployment.layer_measures import LayerMeasure
from deepstdp.files import Record


@dataclass(frozen=True)
class Assumption:
    """Energy of an operation on a chip of 45 nm (Horowitz, ISSCC 2014), memory not counted.

    With weights of 8 bits products have 8 (0.2 pJ) and sums 32 (0.1 pJ): a membrane, as a ConvNet's
    accumulator, takes more than 8.

    Attributes:
        name: of the arithmetic.
        picojoules_ac: of an addition.
        picojoules_mac: of a multiplication and an addition.
        weight_bits: most that whole-number weights may have for it; None takes any weights.
    """

    name: str
    picojoules_ac: float
    picojoules_mac: float
    weight_bits: int | None


ASSUMPTIONS = (Assumption("float32", 0.9, 4.6, None), Assumption("int8", 0.1, 0.3, 8))


def energy_after_convnet(
    operations: Operations, reduction_macs: int, in_whole_numbers: bool
) -> Record:
    """Microjoules of what follows the ConvNet, for an image.

    ``reduction``: ACs in float32, its weights being real numbers; ``float_reduction``: MACs of the
    float pipeline's. ``clustering``: ACs of the STDP neurons, which the float pipeline has too.

    Args:
        operations: of both.
        reduction_macs: D x P.
        in_whole_numbers: whether synapses have 8 bits (``arithmetic`` fixed).
    """
    float32, int8 = ASSUMPTIONS
    of_neurons = int8 if in_whole_numbers else float32
    acs = operations.reduction + operations.biases
    return {
        "reduction": acs * float32.picojoules_ac / 1e6,
        "float_reduction": reduction_macs * float32.picojoules_mac / 1e6,
        "clustering": operations.clustering * of_neurons.picojoules_ac / 1e6,
    }


def cheapest_arithmetic(record: Record) -> str:
    """Of those that the weights of an ``energy`` allow."""
    return list(record["microjoules"])[-1]


def energy(layers: Sequence[LayerMeasure], n_steps: int, weight_bits: int | None) -> Record:
    """Totals, and microjoules for an image under each assumption that the weights allow.

    ``spiking``: ACs of spikes and MACs of the constant input in every step. ``spiking_held``: the
    same with those MACs once, their currents being held and added to each neuron in every step.
    ``convnet``: MACs.

    Args:
        layers: what each of them does for an image.
        n_steps: T.
        weight_bits: of whole-number weights; None for real numbers.
    """
    operations = sum(layer.synaptic_operations for layer in layers)
    biases = sum(layer.bias_additions for layer in layers)
    macs, synapses = sum(layer.macs for layer in layers), sum(layer.synapses for layer in layers)
    held_macs, held_acs = (macs / n_steps, n_steps * layers[0].neurons) if macs else (0.0, 0)
    joules = {}
    for a in ASSUMPTIONS:
        if a.weight_bits is not None and (weight_bits or 32) > a.weight_bits:
            continue
        spikes = (operations + biases) * a.picojoules_ac
        held = held_acs * a.picojoules_ac + held_macs * a.picojoules_mac
        joules[a.name] = {
            "picojoules_ac": a.picojoules_ac,
            "picojoules_mac": a.picojoules_mac,
            "spiking": (spikes + macs * a.picojoules_mac) / 1e6,
            "spiking_held": (spikes + held) / 1e6,
            "convnet": synapses * a.picojoules_mac / 1e6,
        }
    return {
        "synaptic_operations": operations,
        "bias_additions": biases,
        "constant_macs": macs,
        "convnet_macs": synapses,
        "microjoules": joules,
    }
