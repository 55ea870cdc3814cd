"""Replays a NIR file from its nodes alone, in NumPy: independent of what converted and wrote it."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from deepstdp.errors import UserError

_BATCH = 32


def replay(
    graph: Any, images: Float[np.ndarray, "n c h w"], n_steps: int, dt: float, reset: str
) -> Int[np.ndarray, "n o"]:
    """Spikes of each output in so many steps.

    Args:
        graph: a chain of Conv2d, IF and LIF from Input to Output.
        images: the constant input, in the unit of the file.
        n_steps: T.
        dt: length of a step.
        reset: ``soft`` takes the threshold away from a membrane that fired; ``hard`` resets it to
            the node's ``v_reset``.

    Raises:
        UserError: the graph is no such chain.
    """
    nodes = _chain(graph)
    parts = [
        _present(nodes, images[i : i + _BATCH], n_steps, dt, reset)
        for i in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts)


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
    nodes: list[Any], images: Float[np.ndarray, "b c h w"], n_steps: int, dt: float, reset: str
) -> Int[np.ndarray, "b o"]:
    membranes: list[Any] = [None] * len(nodes)
    first = _convolve(nodes[0], images.astype(np.float64))  # the same in every step
    total = np.zeros((), np.int64)
    for _ in range(n_steps):
        x = first
        for i, node in enumerate(nodes[1:], 1):
            if type(node).__name__ == "Conv2d":
                x = _convolve(node, x)
                continue
            v = np.zeros_like(x) if membranes[i] is None else membranes[i]
            v = v + _change(node, v, x, dt)
            fired = v >= node.v_threshold
            after = v - node.v_threshold if reset == "soft" else node.v_reset + 0 * v
            membranes[i] = np.where(fired, after, v)
            x = fired.astype(np.float64)
        total = total + (x != 0)
    return total.reshape(len(images), -1)


def _change(node: Any, v: np.ndarray, current: np.ndarray, dt: float) -> np.ndarray:
    """IF: dv = dt R I. LIF: dv = dt / tau (v_leak - v + R I)."""
    if type(node).__name__ == "IF":
        return dt * node.r * current
    return dt / node.tau * (node.v_leak - v + node.r * current)


def _convolve(node: Any, x: Float[np.ndarray, "b c h w"]) -> Float[np.ndarray, "b o y x"]:
    (top, left), (down, right) = np.broadcast_to(node.padding, 2), np.broadcast_to(node.stride, 2)
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    windows = sliding_window_view(padded, node.weight.shape[2:], axis=(2, 3))
    windows = windows[:, :, ::down, ::right]
    out = np.tensordot(windows, node.weight.astype(np.float64), axes=((1, 4, 5), (1, 2, 3)))
    return np.moveaxis(out, -1, 1) + node.bias[:, None, None]
