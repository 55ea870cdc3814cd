"""A spiking network as a file: safetensors, with the rest in its header."""

from pathlib import Path

from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import InputCode
from deepstdp.deployment.layer import SpikingLayer
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.errors import UserError
from deepstdp.files import Tensors, load_tensors, save_tensors

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


def load_network(path: Path) -> SpikingNetwork:
    """Read what ``save_network`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: the file is damaged, or something else.
    """
    tensors, info = load_tensors(path)
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
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no spiking network ({error})") from None
