"""What is presented to the neurons: rates that are still to become spikes, or spikes."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from deepstdp.spiking import encoding
from deepstdp.spiking.encoding import SpikeKeys


@dataclass(frozen=True)
class RateInput:
    """On/off rates of B samples, and what their spikes are a function of.

    Attributes:
        signed: (B, P) signed rates (see ``encoding``); they drive 2P channels.
        keys: of the spikes.
    """

    signed: Int32[Tensor, "b p"]
    keys: SpikeKeys

    def __len__(self) -> int:
        return len(self.signed)

    def __getitem__(self, rows: slice) -> "RateInput":
        return RateInput(self.signed[rows], self.keys[rows])

    @property
    def device(self) -> torch.device:
        """Where the samples are."""
        return self.signed.device

    def trains(self, n_timesteps: int) -> Bool[Tensor, "b t i"]:
        """The spikes of the on channels, then of the off channels."""
        words = encoding.spike_words(self.signed, self.keys, n_timesteps)
        spikes = encoding.unpack(words, n_timesteps)
        on, off = (self.signed > 0)[:, None, :], (self.signed < 0)[:, None, :]
        return torch.cat([spikes & on, spikes & off], dim=2)


@dataclass(frozen=True)
class SpikeInput:
    """Spikes of B samples, as an event camera or another spiking network gives them.

    Attributes:
        words: (B, I, W) spikes of I channels, 32 steps a word (see ``encoding.pack``).
    """

    words: Int64[Tensor, "b i w"]

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, rows: slice) -> "SpikeInput":
        return SpikeInput(self.words[rows])

    @property
    def device(self) -> torch.device:
        """Where the samples are."""
        return self.words.device

    def trains(self, n_timesteps: int) -> Bool[Tensor, "b t i"]:
        """The spikes, an entry a step."""
        return encoding.unpack(self.words, n_timesteps)


Input = RateInput | SpikeInput
