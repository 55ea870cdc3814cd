"""Leaky integrate-and-fire neurons that compete: pure steps, state in, state out.

Membranes are int32 in fixed-point arithmetic, as chips have it, and float32 otherwise; the steps
are the same.
"""

import math

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

NOBODY = -1
"""The winner of a step in which no neuron reached its threshold."""

LEAK_BITS = 10
"""A fixed-point leak is a whole number of 1/1024."""

V_MAX = 1 << 20
"""Fixed-point membranes saturate here, so that leak times potential stays below 2**31."""


def decay(dt: float, tau: float) -> float:
    """What is left of a quantity of time constant tau after a step: exp(-dt / tau)."""
    return math.exp(-dt / tau)


def integrate(
    v: Shaped[Tensor, "b k"], current: Shaped[Tensor, "b k"], leak: float
) -> Shaped[Tensor, "b k"]:
    """v_j <- lambda v_j + I_j, with I_j = sum_i w_ij s_i.

    In fixed point, v_j <- min(floor(leak v_j / 1024) + I_j, 2**20), with leak = 1024 lambda.
    """
    if v.is_floating_point():
        return leak * v + current
    return ((int(leak) * v >> LEAK_BITS) + current).clamp(max=V_MAX)


def winner_take_all(v: Shaped[Tensor, "b k"], threshold: Shaped[Tensor, "k"]) -> Int64[Tensor, "b"]:
    """The neuron furthest above its threshold, argmax_j v_j - threshold_j; -1 if none reaches it.

    Of equals the first fires.
    """
    margin, winner = (v - threshold).max(dim=1)  # of equals torch, too, takes the first
    return torch.where(margin >= 0, winner, NOBODY)


def hard_inhibition(v: Shaped[Tensor, "b k"], winner: Int64[Tensor, "b"]) -> Shaped[Tensor, "b k"]:
    """A spike resets every membrane of its sample: v <- 0."""
    return torch.where((winner == NOBODY)[:, None], v, 0)


def graded_inhibition(
    v: Shaped[Tensor, "b k"], winner: Int64[Tensor, "b"], amount: Shaped[Tensor, ""]
) -> Shaped[Tensor, "b k"]:
    """A spike resets the winner, v_j <- 0, and lowers the others, v_k <- max(v_k - amount, 0)."""
    fired = (winner != NOBODY)[:, None]
    is_winner = torch.arange(v.shape[1], device=v.device) == winner[:, None]
    lowered = torch.where(is_winner, 0, (v - amount).clamp(min=0))
    return torch.where(fired, lowered, v)
