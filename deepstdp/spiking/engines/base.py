"""What an engine is: the one place where samples meet neurons, so that a fast one can slot in."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int32
from torch import Tensor

from deepstdp.config import STDPConfig
from deepstdp.spiking.encoding import SpikeKeys
from deepstdp.spiking.plasticity import SpikeSums


@dataclass(frozen=True)
class Response:
    """How K neurons answered B samples.

    Attributes:
        counts: (B, K) spikes in T steps.
        margin: (B, K) membrane potential above threshold after the last step.
        n_input_spikes: presynaptic spikes of all samples.
        sums: what plasticity needs, or None if the engine was told not to collect it.
    """

    counts: Int32[Tensor, "b k"]
    margin: Float[Tensor, "b k"]
    n_input_spikes: int
    sums: SpikeSums | None


@runtime_checkable
class Engine(Protocol):
    """Presents a batch of samples to neurons whose synapses do not change meanwhile."""

    def present(
        self,
        signed_rates: Int32[Tensor, "b p"],
        keys: SpikeKeys,
        synapses: Float[Tensor, "k i"],
        threshold: Float[Tensor, "k"],
        v_threshold: float,
        config: STDPConfig,
        collect: bool,
    ) -> Response:
        """Run T steps of encoding, integration and winner-take-all.

        Args:
            signed_rates: on/off rates of each sample (see ``encoding``).
            keys: identify the spikes.
            synapses: (K, 2P).
            threshold: (K,) firing thresholds, adaptive part included.
            v_threshold: the threshold without it: the unit of graded inhibition.
            config: time constants, T, inhibition and rule.
            collect: whether to gather the sums that learning needs.
        """
        ...
