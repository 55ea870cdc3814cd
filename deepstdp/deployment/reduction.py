"""The reduction in spikes: from the ConvNet's last layer to the channels of the STDP neurons.

The reduction z = (f - m) W / ||(f - m) W|| becomes a population of integrate-and-fire neurons, an
on and an off neuron for each component, and its L2 normalisation divisive inhibition: one threshold
for a sample's whole population, which rises while the population fires more than it should and
falls while it fires less (after Carandini and Heeger 2012).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from deepstdp.features import Reducer

INHIBITION = 0.1
"""How fast the threshold follows: its relative change in a step for a relative excess of spikes."""


@dataclass(frozen=True)
class SpikingReduction:
    """Affine reduction with divisive inhibition, in spikes.

    v(t) = v(t-1) +- (s(t) scale - m) W for the on and the off neuron of each component; where
    v(t) >= theta(t) it fires and theta(t) is taken away. With n(t) spikes of the population,
    theta(t+1) = theta(t) exp(k (n(t) / n* - 1)): on average n* spikes a step, so that rates are
    those of a unit vector times the gain of the STDP layer.

    Attributes:
        weight: (D, P) scale W.
        bias: (P,) -m W.
        threshold: theta(0).
        wanted: n*.
        inhibition: k; 0 leaves the threshold where it is.
    """

    weight: Float[Tensor, "d p"]
    bias: Float[Tensor, "p"]
    threshold: float
    wanted: float
    inhibition: float = INHIBITION

    @classmethod
    def fit(
        cls, reducer: Reducer, features: Float[Tensor, "n d"], scale: float, gain: float
    ) -> "SpikingReduction":
        """The run's reduction, its first threshold and its number of spikes taken from features.

        Args:
            reducer: of the run.
            features: of some training images, by the ConvNet.
            scale: activation that a spike of the last layer stands for.
            gain: of the STDP layer, from components to spikes a step.
        """
        state = reducer.state()
        projection, bias = state["projection"], -state["mean"] @ state["projection"]
        length = (features @ projection + bias).norm(dim=1).mean().item()
        rates = (reducer.transform(features).abs() * gain).clamp(max=1)
        return cls(projection * scale, bias, length / gain, rates.sum(dim=1).mean().item())

    def answer(self, spikes: UInt8[Tensor, "b t d"]) -> UInt8[Tensor, "b t i"]:
        """Spikes of the on neurons, then of the off neurons: 2 P in all."""
        currents = spikes.to(self.weight.dtype) @ self.weight + self.bias
        n, n_steps, p = currents.shape
        v = currents.new_zeros(n, 2 * p)
        threshold = currents.new_full((n, 1), self.threshold)
        fired = torch.empty(n, n_steps, 2 * p, dtype=torch.bool, device=spikes.device)
        for t in range(n_steps):
            v = v + torch.cat([currents[:, t], -currents[:, t]], dim=1)
            fired[:, t] = v >= threshold
            v = v - threshold * fired[:, t]
            excess = fired[:, t].sum(dim=1, keepdim=True) / self.wanted - 1
            threshold = threshold * torch.exp(self.inhibition * excess)
        return fired.to(torch.uint8)
