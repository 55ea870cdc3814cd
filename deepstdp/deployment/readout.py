"""From the ConvNet's features to clusters in two layers of any simulator's neurons.

``AllSpiking`` has competition in every step, of which exchange formats know nothing. What follows
here is a chain of ReLUs, as the ConvNet is, and becomes spiking as that does; its last layer has a
neuron for each cluster, and the one with most spikes is the image's.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.deployment.accuracy import cluster_reference, compare_clusters
from deepstdp.deployment.all_spiking import neurons_of
from deepstdp.deployment.folding import Connection, Shape
from deepstdp.deployment.relative_error import relative_error
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import Truth
from deepstdp.features import Reducer
from deepstdp.files import Record
from deepstdp.model import Model

LastLayer = Literal["features", "clusters"]
"""What the last neurons of a spiking network stand for."""


def require_neurons(model: Model) -> STDPPseudoLabels:
    """The STDP neurons that a readout is made of.

    Raises:
        UserError: the run has none that take features as they are.
    """
    neurons = neurons_of(model)
    if neurons is None:
        raise UserError(
            "last_layer clusters: this run has no STDP neurons that take features as they are "
            "(clustering.method stdp, with clustering.stdp.encoding direct or auto)"
        )
    return neurons


def readout(reducer: Reducer, neurons: STDPPseudoLabels, shape: Shape) -> list[Connection]:
    """What follows the ConvNet, as two connections.

    on = relu((f - m) W), off = relu(-(f - m) W), and for STDP neuron k with synapses w_k and
    threshold theta_k, v the threshold that all began with,

        y_k = relu((w_k v / theta_k - mean_j w_j v / theta_j) . (on, off)):

    how much sooner than the others it is driven to its threshold. The length of (f - m) W is a
    factor of all y_k, so that the greatest stays so without L2 normalisation; that the mean is
    taken away leaves neurons their differences to tell, in the place of inhibition.

    Args:
        reducer: of the run.
        neurons: that take what it makes of features.
        shape: of the ConvNet's last layer.
    """
    reduction, learnt = reducer.state(), neurons.layer.learnt
    projection = reduction["projection"].double()
    bias = -reduction["mean"].double() @ projection
    on_off = torch.cat([projection, -projection], dim=1).T.reshape(-1, *shape)
    theta = learnt.thresholds(neurons.config.theta_in_labels)
    drive = learnt.synapses / theta[:, None] * learnt.v_threshold
    drive = drive - drive.mean(dim=0)
    no_bias = drive.new_zeros(len(drive))
    first = _connection(on_off, torch.cat([bias, -bias]), shape)
    return [first, _connection(drive[:, :, None, None], no_bias, first.out_shape)]


def _connection(
    weight: Float[Tensor, "o i k l"], bias: Float[Tensor, "o"], shape: Shape
) -> Connection:
    """A layer that sees all of its input, in single precision as folded layers are."""
    return Connection(weight.float().contiguous(), bias.float(), 1, 0, shape)


def compare_readout(
    model: Model,
    layers: list[Connection],
    val: Float[Tensor, "n d"],
    counts: Int[Tensor, "n k"],
    unit: float,
    n_steps: int,
    truth: Truth | None,
) -> Record:
    """Clusters by a readout's spikes against those of the float pipeline.

    Args:
        model: of the run.
        layers: the readout.
        val: the ConvNet's features of the validation images.
        counts: spikes of the last layer for the same images.
        unit: what one of them stands for.
        n_steps: T.
        truth: labels, if there are any.

    Returns:
        As ``compare``: the run's clusters, and a curve of this T alone. ``ties`` is the share of
        images for which several neurons have most spikes; the first of them counts.
    """
    y = val.float().reshape(-1, *layers[0].shape)
    for layer in layers:
        y = layer.activations(y)
    float_clusters, record = cluster_reference(model, val, truth)
    assert float_clusters is not None
    found = compare_clusters(counts.argmax(dim=1).cpu().numpy(), float_clusters, truth)
    most = counts == counts.amax(dim=1, keepdim=True)
    point = {
        "timesteps": n_steps,
        "relative_error": relative_error(counts * unit, y.flatten(1)),
        "cluster_agreement": found.pop("agreement"),
        "ties": (most.sum(dim=1) > 1).double().mean().item(),
        **found,
    }
    return record | {"curve": [point]}
