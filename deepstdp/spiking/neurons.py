"""Leaky integrate-and-fire neurons that compete: pure steps, state in, state out."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

NOBODY = -1
"""The winner of a step in which no neuron reached its threshold."""


def decay(dt: float, tau: float) -> float:
    """What is left of a quantity of time constant tau after a step: exp(-dt / tau)."""
    return math.exp(-dt / tau)


def integrate(
    v: Float[Tensor, "b k"], current: Float[Tensor, "b k"], leak: float
) -> Float[Tensor, "b k"]:
    """v_j <- lambda v_j + I_j, with I_j = sum_i w_ij s_i."""
    return leak * v + current


def winner_take_all(v: Float[Tensor, "b k"], threshold: Float[Tensor, "k"]) -> Int64[Tensor, "b"]:
    """The neuron furthest above its threshold, argmax_j v_j - threshold_j; -1 if none reaches it.

    Of equals the first fires.
    """
    margin, winner = (v - threshold).max(dim=1)
    return torch.where(margin >= 0, winner, NOBODY)


def hard_inhibition(v: Float[Tensor, "b k"], winner: Int64[Tensor, "b"]) -> Float[Tensor, "b k"]:
    """A spike resets every membrane of its sample: v <- 0."""
    return torch.where((winner == NOBODY)[:, None], v, 0.0)


def graded_inhibition(
    v: Float[Tensor, "b k"], winner: Int64[Tensor, "b"], amount: float
) -> Float[Tensor, "b k"]:
    """A spike resets the winner, v_j <- 0, and lowers the others, v_k <- max(v_k - amount, 0)."""
    fired = (winner != NOBODY)[:, None]
    is_winner = torch.arange(v.shape[1], device=v.device) == winner[:, None]
    lowered = torch.where(is_winner, 0.0, (v - amount).clamp(min=0))
    return torch.where(fired, lowered, v)
