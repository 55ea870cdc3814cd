"""From feature vectors of any kind to the signed rates that drive the on and off channels.

All in double precision, so that devices agree on the rates, whose bits key the spikes.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int32, Shaped
from torch import Tensor
from torch.nn import functional

from deepstdp.config import STDPConfig
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.spiking import encoding

Kind = Literal["direct", "centred", "population"]

FEW_FEATURES = 128
"""With fewer, ``auto`` takes a population code."""

N_UNITS = 512
_POPULATION_SPIKES = 4.0
"""A population makes so many times the spikes, since its units repeat each other."""


@dataclass(frozen=True)
class Receptors:
    """What a feature vector f excites, fitted to the data once and then fixed.

    ``direct``: f itself.

    ``centred``: (f - mean) / ||f - mean||, so that what counts is the direction from the centre.

    ``population``: cos(W (f - mean) / scale + b), the tuning curves of ``N_UNITS`` units (random
    Fourier features, Rahimi and Recht 2007). Directions among them are as near as the samples
    themselves are, in the sense of a Gaussian kernel: what counts is distance, not direction.

    Attributes:
        kind: which of them.
        mean: (P,) of the features; zero if they are taken as they are.
        scale: root mean square distance of the features from there.
        tuning: (P, M) W of the population; empty otherwise.
        phase: (M,) b.
        gain: from excitation to rate.
    """

    kind: Kind
    mean: Float[Tensor, "p"]
    scale: float
    tuning: Float[Tensor, "p m"]
    phase: Float[Tensor, "m"]
    gain: float

    @property
    def n_channels(self) -> int:
        """Pairs of on and off channels."""
        return len(self.phase) if self.kind == "population" else len(self.mean)

    def excitation(self, features: Shaped[Tensor, "n p"]) -> Float[Tensor, "n m"]:
        """The response of each receptor, before the gain."""
        f = features.double()
        if self.kind == "direct":
            return f
        centred = f - self.mean
        if self.kind == "centred":
            return functional.normalize(centred, dim=1)
        return torch.cos(centred @ self.tuning / self.scale + self.phase)

    def rates(self, features: Shaped[Tensor, "n p"]) -> Int32[Tensor, "n m"]:
        """Signed rates (see ``encoding``)."""
        return encoding.quantise(self.excitation(features), self.gain)

    def to(self, device: torch.device) -> "Receptors":
        """The same on ``device``."""
        mean, tuning, phase = (x.to(device) for x in (self.mean, self.tuning, self.phase))
        return Receptors(self.kind, mean, self.scale, tuning, phase, self.gain)


def kind_for(n_features: int, config: STDPConfig) -> Kind:
    """What ``config.encoding`` means for so many features."""
    if config.encoding != "auto":
        return config.encoding
    return "population" if n_features < FEW_FEATURES else "centred"


def fit_receptors(features: Shaped[Tensor, "n p"], seed: int, config: STDPConfig) -> Receptors:
    """Receptors for data of which these are some.

    Args:
        features: on the CPU.
        seed: of the tuning curves.
        config: code, gain and ``input_spikes``.
    """
    f = features.double()
    n_features = f.shape[1]
    kind = kind_for(n_features, config)
    mean = f.mean(dim=0) if kind != "direct" else f.new_zeros(n_features)
    scale = (f - mean).square().sum(dim=1).mean().sqrt().item()
    tuning, phase, n_spikes = f.new_zeros(n_features, 0), f.new_zeros(0), config.input_spikes
    if kind == "population":
        generator = numpy_generator(seed, Stream.TUNING)
        tuning = torch.from_numpy(generator.standard_normal((n_features, N_UNITS)))
        phase = torch.from_numpy(generator.uniform(0, 2 * torch.pi, N_UNITS))
        n_spikes *= _POPULATION_SPIKES
    receptors = Receptors(kind, mean, scale if scale > 0 else 1.0, tuning, phase, 1.0)
    gain = config.gain
    if gain == "auto":
        gain = encoding.automatic_gain(receptors.excitation(f), n_spikes)
    return Receptors(kind, mean, receptors.scale, tuning, phase, gain)
