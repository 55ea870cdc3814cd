"""Adaptive thresholds that keep neurons from winning everything or nothing."""

import math

from jaxtyping import Float
from torch import Tensor

from deepstdp.config import STDPConfig


def adapt(
    theta: Float[Tensor, "k"],
    n_wins: Float[Tensor, "k"],
    n_spikes: Float[Tensor, "k"],
    n_samples: int,
    v_threshold: float,
    config: STDPConfig,
) -> Float[Tensor, "k"]:
    """Adaptive thresholds after ``n_samples`` more samples; a = config.alpha v_threshold.

    ``dual``: theta_j += a (K n_wins_j - B), the price of the constraint share_j = 1/K: it drives
    to equal shares (conscience learning, DeSieno 1988).

    ``floor``: theta_j <- min(0, theta_j + a (K n_wins_j - B/c)), the price of share_j >= 1/(cK):
    only neurons that win too little are helped, unbalanced data stay unbalanced.

    ``relaxing``: theta_j <- theta_j exp(-1/tau) + a K n_spikes_j for each sample (Diehl and Cook
    2015); for a batch, the mean of this over its samples:
    theta_j exp(-B/tau) + a K n_spikes_j (1 - exp(-B/tau)) / (B (1 - exp(-1/tau))).

    The factor K makes wins relative to the due share, so that one alpha serves any K.

    Args:
        theta: (K,) adaptive thresholds.
        n_wins: (K,) samples won in the batch.
        n_spikes: (K,) spikes in the batch.
        n_samples: B.
        v_threshold: the firing threshold without theta.
        config: which form, and its parameters.
    """
    a = config.alpha * v_threshold
    k = len(theta)
    if config.homeostasis == "dual":
        return theta + a * (k * n_wins - n_samples)
    if config.homeostasis == "floor":
        return (theta + a * (k * n_wins - n_samples / config.floor_ratio)).clamp(max=0)
    if config.homeostasis == "relaxing":
        # Spikes are taken as spread evenly over the batch, each decaying from its sample on.
        one_sample, batch = math.exp(-1 / config.tau_theta), math.exp(-n_samples / config.tau_theta)
        mean_left = (1 - batch) / (1 - one_sample) / n_samples
        return theta * batch + a * k * n_spikes * mean_left
    return theta
