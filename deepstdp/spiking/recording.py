"""What happens in the layer as it is presented samples, step by step: for people to look at."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from deepstdp.spiking.engines import Circuit
from deepstdp.spiking.engines.reference import competition, currents_of
from deepstdp.spiking.inputs import Input


@dataclass(frozen=True)
class Recording:
    """Of B samples in T steps.

    Attributes:
        inputs: (B, T, I) spikes of the input channels.
        potentials: (B, T, K) membranes before anybody fires, in units of each neuron's threshold.
        winners: (B, T) the neuron that fires, -1 where none does.
    """

    inputs: Bool[Tensor, "b t i"]
    potentials: Float[Tensor, "b t k"]
    winners: Int64[Tensor, "b t"]

    def counts(self, i: int) -> Int64[np.ndarray, "k"]:
        """Spikes of each neuron for sample i."""
        winners = self.winners[i].numpy()
        return np.bincount(winners[winners >= 0], minlength=self.potentials.shape[2])

    def busiest(self, i: int, n: int) -> Int64[np.ndarray, "m"]:
        """The n neurons that fire most for sample i; of equals, those nearest to firing."""
        return np.lexsort((-self.potentials[i].numpy().max(axis=0), -self.counts(i)))[:n]


def record(inputs: Input, circuit: Circuit) -> Recording:
    """Present a few samples as the reference engine does, and keep everything."""
    trains = inputs.trains(circuit.n_timesteps)
    steps = list(competition(currents_of(trains, circuit), circuit))
    potentials = torch.stack([before for before, _, _ in steps], dim=1)
    winners = torch.stack([winner for _, winner, _ in steps], dim=1)
    return Recording(trains, potentials / circuit.threshold, winners)
