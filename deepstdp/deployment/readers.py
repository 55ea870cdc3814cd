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

Reader = Callable[[Any], torch.nn.Module]


def _snntorch(graph: Any) -> torch.nn.Module:
    module = importlib.import_module("snntorch.import_nir")
    with contextlib.redirect_stdout(io.StringIO()):
        return module.import_from_nir(graph)


def _spikingjelly(graph: Any) -> torch.nn.Module:
    module = importlib.import_module("spikingjelly.activation_based.nir_exchange")
    return module.import_from_nir(graph, dt=1.0)


def _norse(graph: Any) -> torch.nn.Module:
    return importlib.import_module("norse.torch").from_nir(graph, dt=1.0)


READERS: dict[str, Reader] = {
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
    "norse": _norse,
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = READERS[target](graph)
    state, total, x = None, 0, torch.from_numpy(images).float()
    with torch.no_grad():
        for _ in range(n_steps):
            spikes, state = network(x, state)
            total = total + (spikes != 0).long()
    assert isinstance(total, torch.Tensor)
    return total.flatten(1).numpy()
