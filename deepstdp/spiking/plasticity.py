"""STDP: traces, and the three rules that turn a batch's spikes into a change of synapses.

B samples see the same synapses. What a rule needs of their spikes are three sums over samples and
steps, so that a batch (or several workers' batches) is learnt from at once:

    n_j  = number of spikes of neuron j
    S_ji = sum of the presynaptic trace x_i at the spikes of j
    D_ji = sum of the postsynaptic trace y_j at the spikes of input i, not counting spikes of j
           in the same step: those the input has caused

Synapses stay non-negative and each neuron's have unit L2 norm, hence 0 <= w <= 1.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepstdp.config import STDPConfig


@dataclass(frozen=True)
class SpikeSums:
    """The sums a batch leaves behind; those of two batches add.

    Attributes:
        n_spikes: (K,) n_j.
        pre_at_post: (K, I) S_ji.
        post_at_pre: (K, I) D_ji, or None where the rule does not need it.
    """

    n_spikes: Float[Tensor, "k"]
    pre_at_post: Float[Tensor, "k i"]
    post_at_pre: Float[Tensor, "k i"] | None


def trace(spikes: Float[Tensor, "b t i"], keep: float) -> Float[Tensor, "b t i"]:
    """Low-pass filtered spikes, in spikes per step: x <- lambda x + (1 - lambda) s, from x = 0.

    The trace in a step includes that step's spikes.
    """
    x = torch.empty_like(spikes)
    previous = torch.zeros_like(spikes[:, 0])
    for t in range(spikes.shape[1]):
        previous = keep * previous + (1 - keep) * spikes[:, t]
        x[:, t] = previous
    return x


def normalise(synapses: Float[Tensor, "k i"]) -> Float[Tensor, "k i"]:
    """Scale each neuron's synapses to unit L2 norm, after clipping at zero."""
    return functional.normalize(synapses.clamp(min=0), dim=1)


def centroid_step(
    w: Float[Tensor, "k i"], sums: SpikeSums, eta: float, scale: float
) -> Float[Tensor, "k i"]:
    """w_j += eta_j (c x_mean_j - w_j), with eta_j = 1 - (1 - eta)^n_j.

    n_j single steps w += eta (c x - w) at equal traces x compose to this; the order of unequal
    ones is forgotten, x_mean_j = S_j / n_j. The fixed point is the direction of the mean trace of
    what j wins: its cluster's centroid.

    Args:
        w: synapses.
        sums: of the batch.
        eta: learning rate of one spike.
        scale: c, which brings traces to the length of the synapses.
    """
    n = sums.n_spikes[:, None]
    mean_trace = scale * sums.pre_at_post / n.clamp(min=1)
    eta_j = 1 - (1 - eta) ** n
    return w + eta_j * (mean_trace - w)


def pair_step(
    w: Float[Tensor, "k i"], sums: SpikeSums, eta: float, scale: float, depression: float
) -> Float[Tensor, "k i"]:
    """dw_ji = eta c (S_ji - a D_ji): pair-based additive STDP (Bi and Poo 1998; Song et al. 2000).

    A postsynaptic spike adds the presynaptic trace, a presynaptic spike takes off ``depression``
    (a) times the postsynaptic trace.
    """
    assert sums.post_at_pre is not None
    return eta * scale * (sums.pre_at_post - depression * sums.post_at_pre)


def weight_dependent_step(
    w: Float[Tensor, "k i"], sums: SpikeSums, x_target: float, scale: float, config: STDPConfig
) -> Float[Tensor, "k i"]:
    """dw_ji = eta c (S_ji g(w_ji) - n_j x_target g(1 - w_ji)).

    At each postsynaptic spike a synapse grows with its trace and shrinks by a constant. Both are
    softened towards their own bound (Guetig et al. 2003), by g(w) = (1 - w)^mu, or by
    g(w) = exp(-mu w) as in Querlioz et al. 2013. Diehl and Cook 2015 is the power law with the
    growing bound on both terms.
    """
    mu = config.mu
    if config.weight_dependence == "power":
        up, down = (1 - w) ** mu, w.clamp(min=0) ** mu
    else:
        up, down = torch.exp(-mu * w), torch.exp(-mu * (1 - w))
    n = sums.n_spikes[:, None]
    return config.eta * scale * (sums.pre_at_post * up - n * x_target * down)


def learn(
    w: Float[Tensor, "k i"], sums: SpikeSums, mean_trace: float, scale: float, config: STDPConfig
) -> Float[Tensor, "k i"]:
    """New synapses after a batch; neurons that did not fire keep theirs.

    The additive rules sum over the batch, so their step is cut to ``config.max_step`` lengths of
    a synapse vector: without a bound a sum explodes with the batch size.

    Args:
        w: (K, I) synapses, rows of unit norm.
        sums: of the batch.
        mean_trace: mean over channels of the input trace, the unit of ``config.x_target``.
        scale: brings traces to the length of the synapses.
        config: which rule, and its parameters.
    """
    if config.rule == "centroid":
        learnt = centroid_step(w, sums, config.eta, scale)
    else:
        if config.rule == "pair":
            step = pair_step(w, sums, config.eta, scale, config.depression)
        else:
            x_target = config.x_target * mean_trace
            step = weight_dependent_step(w, sums, x_target, scale, config)
        length = step.norm(dim=1, keepdim=True)
        learnt = w + step * (config.max_step / length.clamp(min=config.max_step))
    learnt = normalise(learnt)
    changed = (sums.n_spikes > 0) & (learnt.norm(dim=1) > 0)
    return torch.where(changed[:, None], learnt, w)
