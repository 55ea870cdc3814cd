"""What each reader of NIR accepts of integrate-and-fire neurons; ``tests/deployment`` runs them.

All of them read Conv2d without groups; pooling and linear layers, which they read differently, are
convolutions here (see ``folding``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from deepstdp.config.deployment import Reset
from deepstdp.errors import UserError
from deepstdp.imports import require_extra

Target = Literal["nir", "spikingjelly", "norse", "snntorch", "sinabs"]

_LEAKLESS = 2.0**27
"""Steps of the time constant with which a leaky neuron stands for one that does not leak: so many
that single precision loses nothing. (With 1e6, 0.16 % of the counts were one off at T = 32.)"""


@dataclass(frozen=True)
class Dialect:
    """One way to write neurons down.

    Attributes:
        neurons: from (threshold, shape) to a node.
        dt: length of a step in seconds, for the reader.
        resets: that the reader runs; the first is taken if none is asked for.
        hint: how to read the file.
        multispike: whether its neurons fire several times a step, and stay above -threshold.
        without: fields of its neurons that the reader's release of nir does not know.
    """

    neurons: Callable[[float, tuple[int, ...]], Any]
    dt: float
    resets: tuple[Reset, ...]
    hint: str
    multispike: bool = False
    without: tuple[str, ...] = ()


def _plain(threshold: float, shape: tuple[int, ...]) -> Any:
    """``IF`` with R = 1 / dt and dt = 1: v <- v + I."""
    nir = require_extra("nir", "exporting", "nir")
    one = np.ones(shape, np.float32)
    return nir.IF(r=one, v_threshold=threshold * one, v_reset=0 * one)


def _leaky(threshold: float, shape: tuple[int, ...]) -> Any:
    """``LIF`` that does not leak in single precision: v <- (1 - 2^-27) v + I, R = tau / dt."""
    nir = require_extra("nir", "exporting", "nir")
    one = np.ones(shape, np.float32)
    return nir.LIF(
        tau=_LEAKLESS * _SNNTORCH_DT * one,
        r=_LEAKLESS * one,
        v_leak=0 * one,
        v_threshold=threshold * one,
        v_reset=0 * one,
    )


_SNNTORCH_DT = 1e-4

DIALECTS: dict[Target, Dialect] = {
    "nir": Dialect(_plain, 1.0, ("soft", "hard"), "the reset is in the metadata"),
    "spikingjelly": Dialect(
        _plain,
        1.0,
        ("hard",),
        "spikingjelly.activation_based.nir_exchange.import_from_nir(path, dt=1.0)",
    ),
    "norse": Dialect(_plain, 1.0, ("hard",), "norse.torch.from_nir(nir.read(path), dt=1.0)"),
    "snntorch": Dialect(
        _leaky, _SNNTORCH_DT, ("hard",), "snntorch.import_nir.import_from_nir(nir.read(path))"
    ),
    "sinabs": Dialect(
        _plain,
        1.0,
        ("soft",),
        "sinabs.from_nir(nir.read(path), batch_size=...)",
        multispike=True,
        without=("v_reset",),
    ),
}


def dialect(target: Target, reset: Reset) -> Dialect:
    """The dialect of a target.

    Raises:
        UserError: it does not run that reset.
    """
    found = DIALECTS[target]
    if reset not in found.resets:
        raise UserError(
            f"{target} runs neurons with a {' or '.join(found.resets)} reset only: give --reset "
            f"{found.resets[0]}"
        )
    return found
