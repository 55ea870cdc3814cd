"""The readers that files are written for, run as their documentation says."""

import contextlib
import importlib
import importlib.metadata
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

Reader = Callable[[Any, int], torch.nn.Module]
"""From a graph and the number of images to what maps (input, state) to (spikes, state)."""

_BATCH = 128


def _snntorch(graph: Any, n_images: int) -> torch.nn.Module:
    module = importlib.import_module("snntorch.import_nir")
    with contextlib.redirect_stdout(io.StringIO()):
        return module.import_from_nir(graph)


def _spikingjelly(graph: Any, n_images: int) -> torch.nn.Module:
    module = importlib.import_module("spikingjelly.activation_based.nir_exchange")
    return module.import_from_nir(graph, dt=1.0)


def _norse(graph: Any, n_images: int) -> torch.nn.Module:
    return importlib.import_module("norse.torch").from_nir(graph, dt=1.0)


def _sinabs(graph: Any, n_images: int) -> torch.nn.Module:
    return importlib.import_module("sinabs").from_nir(graph, batch_size=n_images)


READERS: dict[str, Reader] = {
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
    "norse": _norse,
    "sinabs": _sinabs,
}


def installed_version(target: str) -> str | None:
    """The version of a reader that is installed, else None."""
    try:
        return importlib.metadata.version(target)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_and_run(
    target: str, graph: Any, images: Float[np.ndarray, "n c h w"], n_steps: int
) -> Int[np.ndarray, "n o"]:
    """Spikes of each output in so many steps, by the target's own reader.

    Args:
        target: whose reader.
        graph: in its dialect.
        images: the constant input, in the unit of the file.
        n_steps: T.
    """
    parts = torch.from_numpy(images).float().split(_BATCH)
    return np.concatenate([_run(target, graph, part, n_steps) for part in parts])


def _run(
    target: str, graph: Any, images: Float[torch.Tensor, "b c h w"], n_steps: int
) -> Int[np.ndarray, "b o"]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = READERS[target](graph, len(images))
    state, total = None, torch.zeros((), dtype=torch.int64)
    with torch.no_grad():
        for _ in range(n_steps):
            spikes, state = network(images, state)
            total = total + spikes.round().long()
    return total.flatten(1).numpy()
