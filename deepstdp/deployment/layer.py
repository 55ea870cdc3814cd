"""A layer of integrate-and-fire neurons, and how it answers."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from deepstdp.config.deployment import Reset
from deepstdp.deployment import kernels
from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import Constant, Spikes
from deepstdp.processes import torch_threads_kept


@dataclass(frozen=True)
class IFLayer:
    """Integrate-and-fire neurons behind their synapses.

    v(t) = v(t-1) + W s(t) + b; where v(t) >= threshold the neuron fires, and then
    v(t) <- v(t) - threshold (soft reset) or v(t) <- 0 (hard). With a soft reset and a constant
    current z the rate is clip(z / threshold, 0, 1): a ReLU that saturates. Multispiking neurons
    fire floor(v(t) / threshold) times in a step, and v(t) never falls below -threshold.

    Attributes:
        connection: in units of the membrane; whole numbers after quantisation.
        threshold: of all neurons.
        start: membranes before the first step. Half the threshold rounds the number of spikes to
            the nearest whole one, where zero rounds it down (Bu et al. 2022, arXiv 2303.04347).
        reset: what a spike does to its membrane.
        scale: the activation of the ConvNet that a spike in every step stands for.
        multispike: whether a neuron can fire more than once in a step.
    """

    connection: Connection
    threshold: float
    start: float
    reset: Reset
    scale: float
    multispike: bool = False

    def answer(self, incoming: Spikes | Constant) -> UInt8[Tensor, "b t y x o"]:
        """The spikes of all neurons; compiled on a CPU, and by torch elsewhere."""
        device = incoming.values.device if isinstance(incoming, Constant) else incoming.device
        return self.compiled(incoming) if device.type == "cpu" else self.by_torch(incoming)

    def activations(self, spikes: UInt8[Tensor, "b t y x o"]) -> Float[Tensor, "b o y x"]:
        """What spikes of this layer stand for: rates times the scale."""
        counts = spikes.sum(dim=1, dtype=torch.int32)
        return counts.permute(0, 3, 1, 2) * (self.scale / spikes.shape[1])

    @property
    def most(self) -> int:
        """Most spikes of a neuron in a step; a byte holds them."""
        return 255 if self.multispike else 1

    @property
    def _lowest(self) -> float:
        """Potential of a membrane."""
        return -self.threshold if self.multispike else -float("inf")

    def by_torch(self, incoming: Spikes | Constant) -> UInt8[Tensor, "b t y x o"]:
        """All steps' currents, then the membranes in time, by torch."""
        bias = self.connection.bias[:, None, None]
        if isinstance(incoming, Constant):
            current = self.connection(incoming.values)
            currents = current[:, None].expand(-1, incoming.n_steps, -1, -1, -1)
        else:
            inputs = incoming.flatten(0, 1).permute(0, 3, 1, 2).float()
            currents = self.connection(inputs).unflatten(0, incoming.shape[:2])
        v = torch.full_like(currents[:, 0], self.start)
        fired = torch.empty(currents.shape, dtype=torch.uint8, device=bias.device)
        for t in range(currents.shape[1]):
            v += currents[:, t]
            n_spikes = (v / self.threshold).floor().clamp(0, self.most)
            fired[:, t] = n_spikes
            v = v - self.threshold * n_spikes if self.reset == "soft" else v * (n_spikes == 0)
            v = v.clamp(min=self._lowest)
        return fired.permute(0, 1, 3, 4, 2)

    @torch_threads_kept()
    def compiled(self, incoming: Spikes | Constant) -> UInt8[Tensor, "b t y x o"]:
        """The same in time that goes with the spikes there are (see ``kernels.fire``)."""
        connection = self.connection
        out, height, width = connection.out_shape
        if isinstance(incoming, Constant):
            n, n_steps = len(incoming.values), incoming.n_steps
            spikes = np.zeros((n, n_steps, 0), np.uint8)
            current = connection(incoming.values)
        else:
            n, n_steps = incoming.shape[:2]
            spikes = incoming.contiguous().flatten(2).numpy()
            current = connection.bias[None, :, None, None].expand(1, out, height, width)
        fired = np.zeros((n, n_steps, height * width * out), np.uint8)
        kernels.fire(
            spikes,
            current.permute(0, 2, 3, 1).contiguous().flatten(1).numpy(),
            connection.weight.permute(1, 2, 3, 0).contiguous().numpy(),
            (connection.shape[2], height, width, connection.stride, connection.padding),
            np.float32(self.threshold),
            np.float32(self.start),
            self.reset == "hard",
            self.most,
            np.float32(self._lowest),
            fired,
        )
        return torch.from_numpy(fired).view(n, n_steps, height, width, out)
