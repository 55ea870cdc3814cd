"""STDP: the three rules that turn a batch's spikes into a change of synapses.

B samples see the same synapses. What a rule needs of their spikes are three sums over samples and
steps (``engines.base.Sums``), so that a batch, or several workers' batches, is learnt from at
once. Traces are low-pass filtered spikes: x <- lambda x + (1 - lambda) s.

Synapses stay non-negative and each neuron's have unit L2 norm, hence 0 <= w <= 1. In fixed-point
arithmetic they are whole numbers of 2**-24, as an int32 holds them. Every operation of the
``centroid`` rule is then exact, or correctly rounded entry by entry: whatever device or engine
made the sums, equal sums give equal synapses.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from deepstdp.config import STDPConfig
from deepstdp.spiking.engines.base import Sums
from deepstdp.spiking.neurons import decay

GRID = 2.0**24
"""Steps of a fixed-point synapse in one: squares and their sums are exact in double precision."""

TRACE_ONE = 1 << 12
"""A fixed-point trace of one spike per step."""


@lru_cache(maxsize=32)
def trace_kernel(
    dt: float, tau: float, n_timesteps: int, fixed: bool, device: torch.device
) -> Shaped[Tensor, "t"]:
    """What a spike leaves in its trace d steps later: (1 - lambda) lambda^d, lambda = e^(-dt/tau).

    In fixed point, in 1/4096 of a spike per step.
    """
    keep = decay(dt, tau)
    kernel = [(1 - keep) * keep**d for d in range(n_timesteps)]
    if fixed:
        whole = [round(TRACE_ONE * x) for x in kernel]
        return torch.tensor(whole, dtype=torch.int32, device=device)
    return torch.tensor(kernel, dtype=torch.float32, device=device)


def normalise(synapses: Float[Tensor, "k i"], fixed: bool) -> Float[Tensor, "k i"]:
    """Scale each neuron's synapses to unit L2 norm, after clipping at zero.

    A neuron without any positive synapse is left with none.
    """
    clipped = synapses.clamp(min=0)
    if fixed:
        _to_grid(clipped)
    norm = clipped.square().sum(dim=1, keepdim=True).sqrt()
    clipped /= torch.where(norm > 0, norm, 1.0)
    return _to_grid(clipped) if fixed else clipped


def _to_grid(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Round in place."""
    return x.mul_(GRID).round_().div_(GRID)


def centroid_step(
    w: Float[Tensor, "k i"], sums: Sums, eta: float, scale: float, most_spikes: int
) -> Float[Tensor, "k i"]:
    """w_j += eta_j (c x_mean_j - w_j), with eta_j = 1 - (1 - eta)^n_j.

    n_j single steps w += eta (c x - w) at equal traces x compose to this; the order of unequal
    ones is forgotten, x_mean_j = S_j / n_j. The fixed point is the direction of the mean trace of
    what j wins: its cluster's centroid.

    Args:
        w: synapses.
        sums: of the batch.
        eta: learning rate of one spike.
        scale: c, which brings traces, in the unit of the sums, to the length of the synapses.
        most_spikes: no n_j is larger.
    """
    n = sums.n_spikes[:, None]
    mean_trace = sums.pre_at_post * (scale / n.clamp(min=1).double())
    eta_j = _composed_rates(eta, most_spikes, w.device)[n]
    return mean_trace.sub_(w).mul_(eta_j).add_(w)  # in place: memory is what this waits for


@lru_cache(maxsize=8)
def _composed_rates(eta: float, most_spikes: int, device: torch.device) -> Float[Tensor, "n"]:
    """1 - (1 - eta)^n for n = 0, 1, ...: made on the CPU, so that all devices have the same."""
    log_kept = math.log1p(-eta) if eta < 1 else -math.inf
    rates = [0.0, *(-math.expm1(n * log_kept) for n in range(1, most_spikes + 1))]
    return torch.tensor(rates, dtype=torch.float64).to(device)


def pair_step(sums: Sums, eta: float, scale: float, depression: float) -> Float[Tensor, "k i"]:
    """dw_ji = eta c (S_ji - a D_ji): pair-based additive STDP (Bi and Poo 1998; Song et al. 2000).

    A postsynaptic spike adds the presynaptic trace, a presynaptic spike takes off ``depression``
    (a) times the postsynaptic trace.
    """
    assert sums.post_at_pre is not None
    return eta * scale * (sums.pre_at_post - depression * sums.post_at_pre)


def weight_dependent_step(
    w: Float[Tensor, "k i"], sums: Sums, x_target: float, scale: float, config: STDPConfig
) -> Float[Tensor, "k i"]:
    """dw_ji = eta c (S_ji g(w_ji) - n_j x_target g(1 - w_ji)).

    At each postsynaptic spike a synapse grows with its trace and shrinks by a constant. Both are
    softened towards their own bound (Guetig et al. 2003), by g(w) = (1 - w)^mu, or by
    g(w) = exp(-mu w) as in Querlioz et al. 2013. Diehl and Cook 2015 is the power law with the
    growing bound on both terms.
    """
    mu = config.mu
    if config.weight_dependence == "power":
        up, down = (1 - w).clamp(min=0) ** mu, w.clamp(min=0) ** mu
    else:
        up, down = torch.exp(-mu * w), torch.exp(-mu * (1 - w))
    n = sums.n_spikes[:, None].double()
    return config.eta * scale * (sums.pre_at_post * up - n * x_target * down)


def learn(
    w: Float[Tensor, "k i"],
    sums: Sums,
    mean_trace: float,
    scale: float,
    most_spikes: int,
    config: STDPConfig,
) -> Float[Tensor, "k i"]:
    """New synapses after a batch; neurons that did not fire keep theirs.

    The additive rules sum over the batch, so their step is cut to ``config.max_step`` lengths of
    a synapse vector: without a bound a sum explodes with the batch size.

    Args:
        w: (K, I) synapses, rows of unit norm.
        sums: of the batch.
        mean_trace: mean over channels of the input trace, the unit of ``config.x_target``; as
            the traces of the sums, in their unit.
        scale: brings those traces to the length of the synapses.
        most_spikes: no neuron fired more often.
        config: which rule, and its parameters.
    """
    after = None if sums.post_at_pre is None else sums.post_at_pre.double()
    sums = Sums(sums.n_spikes, sums.pre_at_post.double(), after)
    if config.rule == "centroid":
        learnt = centroid_step(w, sums, config.eta, scale, most_spikes)
    else:
        if config.rule == "pair":
            step = pair_step(sums, config.eta, scale, config.depression)
        else:
            x_target = config.x_target * mean_trace
            step = weight_dependent_step(w, sums, x_target, scale, config)
        length = step.norm(dim=1, keepdim=True)
        learnt = w + step * (config.max_step / length.clamp(min=config.max_step))
    learnt = normalise(learnt, config.fixed_point)
    changed = (sums.n_spikes > 0) & (learnt.amax(dim=1) > 0)
    return torch.where(changed[:, None], learnt, w)


def quantise(
    w: Float[Tensor, "k i"], n_active: int
) -> tuple[Float[Tensor, ""], Shaped[Tensor, "k i"]]:
    """The int8 copy that currents are made of: round(w 2^e), and its scale 2^e.

    The exponent is the largest that keeps the largest synapse within int8, and every current
    within int16: sum_i w_i s_i <= ||w|| sqrt(n_active).

    Args:
        w: synapses of unit norm.
        n_active: channels that can spike in one step.
    """
    _, exponent = torch.frexp(w.max())
    current_bits = 14 - math.ceil(math.log2(n_active) / 2)
    scale = torch.ldexp(torch.ones_like(w[0, 0]), (7 - exponent).clamp(max=current_bits))
    return scale, (w * scale).round_().clamp_(max=127).to(torch.int8)
