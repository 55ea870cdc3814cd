"""A spiking network as a file of the Neuromorphic Intermediate Representation (NIR).

A chain of Conv2d and neurons; what they do with a spike, for how many steps, and what is to be
found at the end, is in the metadata, since NIR has no place for it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from deepstdp.deployment.dialects import Dialect
from deepstdp.deployment.layer import SpikingLayer
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.errors import UserError
from deepstdp.files import Record
from deepstdp.imports import require_extra

MARK = "deepstdp"
"""Key of the metadata that holds ours, as JSON."""


@dataclass(frozen=True)
class Expected:
    """What a reader of the file must find.

    Attributes:
        names: (N,) of validation images of the run.
        counts: (N, O) spikes of the last layer's neurons in T steps.
    """

    names: list[str]
    counts: Int[np.ndarray, "n o"]


def write_nir(
    path: Path, network: SpikingNetwork, dialect: Dialect, info: Record, expected: Expected
) -> None:
    """Write a ``.nir`` file.

    Args:
        path: where.
        network: with constant input, and neurons that start at zero.
        dialect: how the reader wants neurons.
        info: T and what else is to be known; ``dt`` and ``reset`` are added.
        expected: what a reader must find.

    Raises:
        UserError: nir is not installed.
    """
    nir = require_extra("nir", "exporting", "nir")
    nodes: dict[str, Any] = {"input": nir.Input(_shape("input", network.layers[0]))}
    for i, layer in enumerate(network.layers, 1):
        c = layer.connection
        nodes[f"synapses_{i}"] = nir.Conv2d(
            input_shape=c.shape[1:],
            weight=c.weight.cpu().numpy(),
            stride=c.stride,
            padding=c.padding,
            dilation=1,
            groups=1,
            bias=c.bias.cpu().numpy(),
        )
        nodes[f"neurons_{i}"] = dialect.neurons(_written_threshold(layer), c.out_shape)
    nodes["output"] = nir.Output({"output": np.array(network.layers[-1].connection.out_shape)})
    names = list(nodes)
    ours = info | {
        "dt": dialect.dt,
        "reset": network.layers[-1].reset,
        "scale": network.layers[-1].scale,
        "input": asdict(network.code),
        "images": expected.names,
    }
    graph = nir.NIRGraph(
        nodes=nodes,
        edges=list(zip(names[:-1], names[1:], strict=True)),
        metadata={
            "dt": dialect.dt,
            "reset": ours["reset"],
            "T": info["T"],
            MARK: json.dumps(ours),
            "spike_counts": expected.counts.astype(np.uint16),
        },
    )
    temporary = path.with_name(path.name + ".tmp")
    nir.write(temporary, graph)
    temporary.replace(path)


def read_nir(path: Path) -> tuple[Any, Record, Expected]:
    """The graph of a file, our record of it, and what a reader must find.

    Raises:
        UserError: the file cannot be read, or is none of ours.
    """
    nir = require_extra("nir", "verifying", "nir")
    try:
        graph = nir.read(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except Exception as error:  # HDF5 and nir raise what they like for a damaged file
        raise UserError(f"{path} is no NIR file ({str(error).splitlines()[0]})") from None
    try:
        info = json.loads(graph.metadata[MARK])
        counts = np.asarray(graph.metadata["spike_counts"]).astype(np.int64)
        return graph, info, Expected(info["images"], counts)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path} was not written by deepstdp export: nothing to verify") from None


def _shape(key: str, layer: SpikingLayer) -> dict[str, np.ndarray]:
    return {key: np.array(layer.connection.shape)}


def _written_threshold(layer: SpikingLayer) -> float:
    """The threshold; of whole numbers that reset to zero, half of one below it.

    Between two whole numbers it does not matter whether a reader fires at or above the threshold,
    nor that a neuron written as hardly leaking loses a little.
    """
    c, threshold = layer.connection, layer.threshold
    is_whole = bool((c.weight == c.weight.round()).all() and (c.bias == c.bias.round()).all())
    return threshold - 0.5 if is_whole and layer.reset == "hard" else threshold
