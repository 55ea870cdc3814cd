"""From the ConvNet's features to clusters in two layers of any simulator's neurons.

``AllSpiking`` has inhibition in every step, of which exchange formats know nothing. What follows
here is a chain of ReLUs, as the ConvNet is, and becomes spiking as that does; its last layer has a
neuron for each cluster, and the one with most spikes is the image's.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.deployment.accuracy import clusters_of, compare_clusters
from deepstdp.deployment.folding import Connection, Shape
from deepstdp.deployment.relative_error import relative_error
from deepstdp.deployment.source import Source
from deepstdp.errors import UserError
from deepstdp.files import Record
from deepstdp.model import Model


def with_readout(source: Source) -> Source:
    """A source whose chain ends in its clusters.

    Raises:
        UserError: the run has no STDP neurons that take features as they are.
    """
    layers = readout(source.model, source.connections[-1].out_shape)
    return replace(source, connections=[*source.connections, *layers])


def readout(model: Model, shape: Shape) -> list[Connection]:
    """What follows the ConvNet, as two connections.

    on = relu((f - m) W), off = relu(-(f - m) W), and for STDP neuron k with synapses w_k and
    threshold theta_k

        y_k = relu((w_k / theta_k - mean_j w_j / theta_j) . (on, off)):

    how much sooner than its like it is driven to fire. The length of (f - m) W scales all of them
    alike, so that the greatest stays so without L2 normalisation; that the mean is taken away is
    what inhibition does.

    Args:
        model: of the run.
        shape: of the ConvNet's last layer.

    Raises:
        UserError: it has no STDP neurons that take features as they are.
    """
    clusterer = model.clusterer
    if not isinstance(clusterer, STDPPseudoLabels) or clusterer.encoding != "direct":
        raise UserError(
            "last_layer clusters: this run has no STDP neurons that take features as they are "
            "(clustering.method stdp, with clustering.stdp.encoding direct or auto)"
        )
    reduction, learnt = model.reducer.state(), clusterer.layer.learnt
    projection = reduction["projection"]
    bias = -reduction["mean"] @ projection
    signed = torch.cat([projection, -projection], dim=1).T.reshape(-1, *shape)
    opposed = Connection(signed.contiguous(), torch.cat([bias, -bias]), 1, 0, shape)
    theta = learnt.thresholds()
    if not clusterer.config.theta_in_labels:
        theta = torch.full_like(theta, learnt.v_threshold)
    sooner = learnt.synapses / theta[:, None] * learnt.v_threshold
    sooner = (sooner - sooner.mean(dim=0)).to(signed.dtype)[:, :, None, None]
    none = torch.zeros_like(sooner[:, 0, 0, 0])
    return [opposed, Connection(sooner.contiguous(), none, 1, 0, opposed.out_shape)]


def compare_readout(
    source: Source, counts: Int[Tensor, "n k"], scale: float, n_steps: int
) -> Record:
    """Clusters by the spikes of ``with_readout`` against the float pipeline's.

    Args:
        source: with the readout.
        counts: spikes of its last layer for ``shown_val``.
        scale: of that layer.
        n_steps: T.

    Returns:
        As ``Source.compare``: the run's clusters, and the curve with this T.
    """
    y = source.val_features.reshape(-1, *source.connections[-2].shape)
    for connection in source.connections[-2:]:
        y = connection.activations(y)
    float_clusters = clusters_of(source.model, source.val_features)
    assert float_clusters is not None
    record = source.compare({})
    found = compare_clusters(most_active(counts), float_clusters, source.truth)
    point = {
        "timesteps": n_steps,
        "relative_error": relative_error(counts * (scale / n_steps), y.flatten(1)),
        "cluster_agreement": found.pop("agreement"),
        **found,
    }
    return record | {"curve": [point]}


def most_active(counts: Int[Tensor, "n k"]) -> Int[np.ndarray, "n"]:
    """The neuron with most spikes; the first of several."""
    return counts.argmax(dim=1).cpu().numpy()
