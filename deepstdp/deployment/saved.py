"""Spiking networks as files: safetensors, with the rest in its header."""

from dataclasses import asdict, replace
from pathlib import Path

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.config import STDPConfig
from deepstdp.deployment.all_spiking import AllSpiking
from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import InputCode
from deepstdp.deployment.layer import SpikingLayer
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.reduction import SpikingReduction
from deepstdp.errors import UserError
from deepstdp.files import MISFITS, Tensors, load_tensors, prefixed, save_tensors, unprefixed

NETWORK, CLUSTERS = "network.safetensors", "clusters.safetensors"
"""A spiking ConvNet, and what follows it up to the cluster."""

_PLAIN = ("threshold", "start", "reset", "scale", "multispike")
_GEOMETRY = ("stride", "padding")


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
            layers.append(SpikingLayer(connection, **{name: of_one[name] for name in _PLAIN}))
        return SpikingNetwork(InputCode(**info["code"]), layers)
    except MISFITS as error:
        raise UserError(f"{path} holds no spiking network ({error})") from None


def save_clusters(path: Path, chain: AllSpiking) -> None:
    """Write what follows the spiking network: the reduction and the STDP neurons."""
    reduction, clusterer = chain.reduction, chain.clusterer
    affine = {"weight": reduction.weight, "bias": reduction.bias}
    info = {
        "reduction": {"threshold": reduction.threshold, "wanted": reduction.wanted},
        "n_clusters": clusterer.n_clusters,
        "seed": clusterer.seed,
        "stdp": asdict(clusterer.config),
        "n_steps": chain.n_steps,
    }
    tensors = prefixed("reduction", affine) | prefixed("neurons", clusterer.state())
    save_tensors(path, tensors, info)


def load_all_spiking(folder: str | Path, device: str = "cpu") -> AllSpiking:
    """From the image to the cluster in spikes, as ``deepstdp convert`` left it in a folder.

    >>> chain = load_all_spiking("runs/digits/spiking")  # doctest: +SKIP
    >>> clusters = chain.clusters(network.front_end(images))  # doctest: +SKIP

    Args:
        folder: that of ``network.safetensors`` and ``clusters.safetensors``.
        device: where it is to run.

    Raises:
        UserError: a file is missing, damaged, or something else.
    """
    path = Path(folder) / CLUSTERS
    for needed in (Path(folder) / NETWORK, path):
        if not needed.is_file():
            raise UserError(
                f"there is no {needed}: deepstdp convert writes it for a run of STDP neurons"
            )
    network = load_network(Path(folder) / NETWORK, device)
    tensors, info = load_tensors(path, device)
    try:
        affine = unprefixed("reduction", tensors)
        reduction = SpikingReduction(affine["weight"], affine["bias"], **info["reduction"])
        config = replace(STDPConfig(**info["stdp"]), engine="auto")  # the engine need not be here
        clusterer = STDPPseudoLabels(info["n_clusters"], info["seed"], config)
        clusterer.load_state(unprefixed("neurons", tensors))
        return AllSpiking(network, reduction, clusterer, info["n_steps"])
    except MISFITS as error:
        raise UserError(f"{path} holds no STDP neurons behind a ConvNet ({error})") from None
