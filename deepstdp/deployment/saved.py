"""Spiking networks as files: safetensors, with the rest in its header."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import torch

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.config import STDPConfig
from deepstdp.config.deployment import Reset
from deepstdp.config.spiking import MAX_TIMESTEPS
from deepstdp.deployment.all_spiking import AllSpiking
from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import InputCode
from deepstdp.deployment.layer import IFLayer
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.reduction import SpikingReduction
from deepstdp.errors import UserError
from deepstdp.files import (
    MISFITS,
    Tensors,
    load_tensors,
    prefixed,
    require_real,
    save_tensors,
    unprefixed,
)
from deepstdp.run_dir import RunDir

NETWORK, CLUSTERS = "network.safetensors", "clusters.safetensors"
"""A spiking ConvNet, and what follows it up to the cluster."""

_PLAIN = ("threshold", "start", "reset", "scale", "multispike")
_GEOMETRY = ("stride", "padding")
_INHIBITION = ("threshold", "wanted", "inhibition")


def save_network(path: Path, network: SpikingNetwork) -> None:
    """Write a spiking network."""
    tensors: Tensors = {}
    layers = []
    for i, layer in enumerate(network.layers):
        connection = layer.connection
        tensors |= {f"{i}.weight": connection.weight, f"{i}.bias": connection.bias}
        layers.append(
            {name: getattr(layer, name) for name in _PLAIN}
            | {name: getattr(connection, name) for name in _GEOMETRY}
            | {"shape": list(connection.shape)}
        )
    save_tensors(path, tensors, {"code": vars(network.code), "layers": layers})


def load_network(path: Path, device: str = "cpu") -> SpikingNetwork:
    """Read what ``save_network`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: the file is damaged, or something else.
    """
    tensors, info = load_tensors(path, device)
    try:
        layers = []
        for i, of_one in enumerate(info["layers"]):
            geometry = {name: of_one[name] for name in _GEOMETRY}
            connection = Connection(
                tensors[f"{i}.weight"],
                tensors[f"{i}.bias"],
                shape=tuple(of_one["shape"]),
                **geometry,
            )
            layers.append(IFLayer(connection, **{name: of_one[name] for name in _PLAIN}))
        network = SpikingNetwork(InputCode(**info["code"]), layers)
        _check_fit(network)
        return network
    except MISFITS as error:
        raise UserError(f"{path} holds no spiking network ({error})") from None


def _check_fit(network: SpikingNetwork) -> None:
    """Compiled layers trust their shapes: whatever is no chain must not reach them."""
    shape = network.layers[0].connection.shape
    for layer in network.layers:
        c = layer.connection
        require_real("weight", c.weight, None, None, None, None)
        require_real("bias", c.bias, len(c.weight))
        if {c.weight.dtype, c.bias.dtype} != {torch.float32}:
            raise ValueError("its weights are not in single precision")
        _, channels, height, width = c.weight.shape
        sides = [side + 2 * c.padding for side in c.shape[1:]]
        if not all(type(n) is int for n in (*c.shape, c.stride, c.padding)):
            raise ValueError("its sizes are no whole numbers")
        fits = c.shape == shape and channels == shape[0]
        has_room = c.stride >= 1 and c.padding >= 0 and height <= sides[0] and width <= sides[1]
        if not (fits and has_room and layer.threshold > 0):
            raise ValueError("its layers do not fit one another")
        if layer.reset not in get_args(Reset) or not layer.scale > 0:
            raise ValueError("its neurons have no such reset or scale")
        shape = c.out_shape


def save_clusters(path: Path, pipeline: AllSpiking, origin: str) -> None:
    """Write what follows the spiking network: the reduction and the STDP neurons.

    Args:
        path: where.
        pipeline: of which they are parts.
        origin: fingerprint of the run.
    """
    reduction, clusterer = pipeline.reduction, pipeline.clusterer
    affine = {"weight": reduction.weight, "bias": reduction.bias}
    info = {
        "reduction": {name: getattr(reduction, name) for name in _INHIBITION},
        "n_clusters": clusterer.n_clusters,
        "seed": clusterer.seed,
        "stdp": asdict(clusterer.config),
        "n_steps": pipeline.n_steps,
        "run": origin,
    }
    tensors = prefixed("reduction", affine) | prefixed("neurons", clusterer.state())
    save_tensors(path, tensors, info)


def load_all_spiking(
    folder: str | Path, device: str = "cpu", run: RunDir | None = None
) -> AllSpiking:
    """From the image to the cluster in spikes, as ``deepstdp convert`` left it in a folder.

    >>> pipeline = load_all_spiking("runs/digits/spiking")  # doctest: +SKIP
    >>> clusters = pipeline.clusters(network.front_end(images))  # doctest: +SKIP

    Args:
        folder: that of ``network.safetensors`` and ``clusters.safetensors``.
        device: where it is to run.
        run: that it must have been converted from.

    Raises:
        UserError: a file is missing, damaged, or something else, or of another run.
    """
    path = Path(folder) / CLUSTERS
    for needed in (Path(folder) / NETWORK, path):
        if not needed.is_file():
            raise UserError(
                f"there is no {needed}: deepstdp convert writes it for a run of STDP neurons that "
                "take features as they are (clustering.stdp.encoding direct)"
            )
    network = load_network(Path(folder) / NETWORK, device)
    tensors, info = load_tensors(path, device)
    try:
        affine = unprefixed("reduction", tensors)
        reduction = SpikingReduction(affine["weight"], affine["bias"], **info["reduction"])
        config = replace(STDPConfig(**info["stdp"]), engine="auto")  # the engine need not be here
        clusterer = STDPPseudoLabels(info["n_clusters"], info["seed"], config)
        clusterer.load_state(unprefixed("neurons", tensors))
        require_real("reduction.weight", reduction.weight, None, None)
        n_features, n_components = reduction.weight.shape
        require_real("reduction.bias", reduction.bias, n_components)
        n_neurons = math.prod(network.layers[-1].connection.out_shape)
        if n_features != n_neurons or clusterer.layer.n_channels != 2 * n_components:
            raise ValueError("the reduction fits neither what it follows nor what follows it")
        if run is not None and info["run"] != run.fingerprint():
            raise UserError(f"{folder} was converted from another run than {run.path}")
        if not 1 <= info["n_steps"] <= MAX_TIMESTEPS:
            raise ValueError(f"{info['n_steps']} time steps")
        return AllSpiking(network, reduction, clusterer, info["n_steps"])
    except MISFITS as error:
        raise UserError(f"{path} holds no STDP neurons behind a ConvNet ({error})") from None
