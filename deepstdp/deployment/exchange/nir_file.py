"""A spiking network as a file of the Neuromorphic Intermediate Representation (NIR).

A chain of Conv2d and neurons; what they do with a spike, for how many steps, and what is to be
found at the end, is in the metadata, since NIR has no place for it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8

from deepstdp.deployment.exchange.checks import read_foreign
from deepstdp.deployment.exchange.dialects import Dialect
from deepstdp.deployment.exchange.front_end import FrontEnd
from deepstdp.deployment.inputs import Constant, InputCode
from deepstdp.deployment.layer import IFLayer
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.readout import LastLayer
from deepstdp.errors import UserError
from deepstdp.files import MISFITS, Record, whole
from deepstdp.imports import require_extra

_MOST_STEPS = 100_000

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
    path: Path,
    network: SpikingNetwork,
    dialect: Dialect,
    n_steps: int,
    info: Record,
    expected: Expected,
) -> None:
    """Write a ``.nir`` file.

    Args:
        path: where.
        network: with constant input, and neurons that start at zero.
        dialect: how the reader wants neurons.
        n_steps: T.
        info: what else is to be known of the run.
        expected: what a reader must find.

    Raises:
        UserError: nir is not installed.
    """
    nir = require_extra("nir", "exporting", "nir")
    first, last = network.layers[0], network.layers[-1]
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array(first.connection.shape)})}
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
    nodes["output"] = nir.Output({"output": np.array(last.connection.out_shape)})
    names = list(nodes)
    ours = info | {
        "scale": last.scale,
        "input": asdict(network.code),
        "images": expected.names,
    }
    graph = nir.NIRGraph(
        nodes=nodes,
        edges=list(zip(names[:-1], names[1:], strict=True)),
        metadata={
            "dt": dialect.dt,
            "reset": last.reset,
            "multispike": int(last.multispike),
            "T": n_steps,
            MARK: json.dumps(ours),
            "spike_counts": expected.counts.astype(np.uint32),
        },
    )
    with whole(path) as unfinished:
        nir.write(unfinished, graph)
        _remove(unfinished, dialect.without)


def _remove(path: Path, fields: tuple[str, ...]) -> None:
    """Take fields out of all nodes of a file."""
    if not fields:
        return
    h5py = require_extra("h5py", "exporting", "nir")
    with h5py.File(path, "a") as file:
        nodes = file["node/nodes"]
        for node in nodes.values():
            for name in set(fields) & set(node):
                del node[name]


@dataclass(frozen=True)
class NIRFile:
    """What ``write_nir`` wrote.

    Attributes:
        graph: of NIR.
        n_steps: T.
        dt: length of a step.
        reset: of the neurons.
        multispike: whether they fire several times a step.
        target: whose dialect it is.
        front_end: of the images.
        code: of the input.
        last_layer: what its neurons stand for.
        scale: the feature, or score of a cluster, that a spike in every step stands for.
        run: fingerprint of the run that it was exported from.
        measured: what its spikes told then, against the float pipeline.
        expected: what a reader must find.
    """

    graph: Any
    n_steps: int
    dt: float
    reset: str
    multispike: bool
    target: str
    front_end: FrontEnd
    code: InputCode
    last_layer: LastLayer
    scale: float
    run: str
    measured: dict[str, float]
    expected: Expected

    def inputs(self, images: UInt8[np.ndarray, "n c h w"]) -> Float32[np.ndarray, "n o h w"]:
        """What the first layer receives in each step.

        Args:
            images: 0 to 255, of the size that the run was trained on.
        """
        shown = torch.from_numpy(self.front_end(images)).float()
        code = self.code.encode(shown, self.n_steps)
        assert isinstance(code, Constant)
        return code.values.numpy()


def read_nir(path: Path) -> NIRFile:
    """Read a file and check what its metadata say.

    Raises:
        UserError: the file cannot be read, or is none of ours.
    """
    nir = require_extra("nir", "verifying", "nir")
    graph = read_foreign(path, "NIR", lambda: nir.read(path))
    metadata = graph.metadata
    try:
        info = json.loads(metadata[MARK])
        expected = Expected(list(info["images"]), np.asarray(metadata["spike_counts"], np.int64))
        found = NIRFile(
            graph=graph,
            n_steps=int(metadata["T"]),
            dt=float(metadata["dt"]),
            reset=str(metadata["reset"]),
            multispike=bool(metadata["multispike"]),
            target=str(info["target"]),
            front_end=FrontEnd.read(info["front_end"]),
            code=InputCode(**info["input"]),
            last_layer=_last_layer(info["last_layer"]),
            scale=float(info["scale"]),
            run=str(info["run"]),
            measured=_numbers(info["measured"]["curve"][0]),
            expected=expected,
        )
    except MISFITS:
        raise UserError(
            f"{path} was not written by deepstdp export, or by another version: export it again"
        ) from None
    if (
        not 1 <= found.n_steps <= _MOST_STEPS
        or not found.dt > 0
        or found.reset not in ("soft", "hard")
    ):
        raise UserError(f"{path}: T, dt and reset in its metadata are no such things")
    if found.code.kind != "constant":
        raise UserError(f"{path}: its input is {found.code.kind}, which is never exported")
    return found


def _numbers(record: Record) -> dict[str, float]:
    """The entries that are numbers."""
    return {k: float(v) for k, v in record.items() if isinstance(v, int | float)}


def _last_layer(value: Any) -> LastLayer:
    """See ``LastLayer``; a ValueError if it is none."""
    if value not in get_args(LastLayer):
        raise ValueError(f"no last layer is {value}")
    return value


def _written_threshold(layer: IFLayer) -> float:
    """The threshold; of whole numbers that reset to zero, half of one below it.

    Between two whole numbers it does not matter whether a reader fires at or above the threshold,
    nor that a neuron written as hardly leaking loses a little.
    """
    c, threshold = layer.connection, layer.threshold
    is_whole = bool((c.weight == c.weight.round()).all() and (c.bias == c.bias.round()).all())
    return threshold - 0.5 if is_whole and layer.reset == "hard" else threshold
