"""Replays a NIR file from its nodes alone, in NumPy: independent of what converted and wrote it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from deepstdp.errors import UserError, kind_and_line
from deepstdp.files import MISFITS

Fired = tuple[np.ndarray, np.ndarray]
"""How often each neuron fires in a step, and what is left of its membrane."""

_BATCH = 32


def replay(
    graph: Any,
    images: Float[np.ndarray, "n c h w"],
    n_steps: int,
    dt: float,
    reset: str,
    multispike: bool = False,
) -> Int[np.ndarray, "n o"]:
    """Spikes of each output in so many steps.

    Args:
        graph: a chain of Conv2d, IF and LIF from Input to Output.
        images: the constant input, in the unit of the file.
        n_steps: T.
        dt: length of a step.
        reset: ``soft`` takes the threshold away from a membrane that fired; ``hard`` resets it to
            the node's ``v_reset``.
        multispike: a membrane fires once for each threshold in it, and stays above -threshold.

    Raises:
        UserError: the graph is no such chain, or its parts do not fit.
    """
    nodes = _chain(graph)
    fire = _several if multispike else _soft if reset == "soft" else _hard
    try:
        parts = [
            _present(nodes, images[i : i + _BATCH], n_steps, dt, fire)
            for i in range(0, len(images), _BATCH)
        ]
        return np.concatenate(parts)
    except MISFITS as error:
        raise UserError(f"the graph cannot be run ({kind_and_line(error)})") from None


def _chain(graph: Any) -> list[Any]:
    following = dict(graph.edges)
    name = "input"
    nodes: list[Any] = []
    while name in following and len(nodes) <= len(graph.nodes):
        name = following[name]
        nodes.append(graph.nodes[name])
    kinds = [type(node).__name__ for node in nodes]
    n = len(nodes) // 2
    is_chain = len(following) == len(graph.edges) == len(graph.nodes) - 1 == len(nodes)
    if not is_chain or n == 0 or kinds[:-1:2] != ["Conv2d"] * n or kinds[-1] != "Output":
        raise UserError("the graph is no chain of Conv2d and neurons from input to output")
    if unknown := sorted(set(kinds[1:-1:2]) - {"IF", "LIF"}):
        raise UserError(f"the graph has a {unknown[0]}, which deepstdp export never writes")
    for node in nodes[:-1:2]:
        is_plain = node.groups == 1 and set(np.ravel(node.dilation)) == {1}
        if not is_plain or isinstance(node.padding, str):
            raise UserError("the graph has a Conv2d with groups, dilation or a named padding")
    return nodes[:-1]


def _present(
    nodes: list[Any],
    images: Float[np.ndarray, "b c h w"],
    n_steps: int,
    dt: float,
    fire: Callable[[Any, np.ndarray], Fired],
) -> Int[np.ndarray, "b o"]:
    convolutions = {i: _convolution(node) for i, node in enumerate(nodes) if i % 2 == 0}
    first = convolutions[0](images.astype(np.float64))  # the same in every step
    membranes: list[Any] = [0.0] * len(nodes)
    total = np.zeros((), np.int64)
    for _ in range(n_steps):
        x = first
        for i, node in enumerate(nodes):
            if i % 2 == 0:
                x = x if i == 0 else convolutions[i](x)
            else:
                v = membranes[i] + _change(node, membranes[i], x, dt)
                x, membranes[i] = fire(node, v)
        total = total + x.astype(np.int64)
    return total.reshape(len(images), -1)


def _soft(node: Any, v: np.ndarray) -> Fired:
    fired = (v >= node.v_threshold).astype(np.float64)
    return fired, v - fired * node.v_threshold


def _hard(node: Any, v: np.ndarray) -> Fired:
    fired = v >= node.v_threshold
    return fired.astype(np.float64), np.where(fired, node.v_reset, v)


def _several(node: Any, v: np.ndarray) -> Fired:
    fired = np.maximum(np.floor(v / node.v_threshold), 0.0)
    return fired, np.maximum(v - fired * node.v_threshold, -node.v_threshold)


def _change(node: Any, v: Any, current: np.ndarray, dt: float) -> np.ndarray:
    """IF: dv = dt R I. LIF: dv = dt / tau (v_leak - v + R I)."""
    if type(node).__name__ == "IF":
        return dt * node.r * current
    return dt / node.tau * (node.v_leak - v + node.r * current)


def _convolution(node: Any) -> Callable[[np.ndarray], np.ndarray]:
    (top, left), (down, right) = np.broadcast_to(node.padding, 2), np.broadcast_to(node.stride, 2)
    weight, bias = node.weight.astype(np.float64), node.bias.astype(np.float64)[:, None, None]

    def convolve(x: Float[np.ndarray, "b c h w"]) -> Float[np.ndarray, "b o y x"]:
        padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
        windows = sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
        windows = windows[:, :, ::down, ::right]
        out = np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3)))
        return np.moveaxis(out, -1, 1) + bias

    return convolve
