"""What an engine is: the one place where samples meet neurons, so that a fast one can slot in."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Int32, Int64, Shaped
from torch import Tensor

from deepstdp.spiking.inputs import Input


@dataclass(frozen=True)
class Circuit:
    """What an engine simulates: neurons whose synapses stand still, in plain numbers.

    In fixed-point arithmetic all numbers are whole, so that no sum depends on its order and
    engines agree to the bit; in floating-point arithmetic the dtypes are float32.

    Attributes:
        synapses: (K, I) int8, not negative.
        threshold: (K,) int32 firing thresholds, adaptive part included; above zero.
        leak: what a step leaves of a membrane, in 1/1024 (see ``neurons.integrate``).
        inhibition: int32 scalar by which a spike lowers the other membranes; None resets them.
        pre_trace: (T,) int32, what a presynaptic spike leaves in its trace d steps later.
        post_trace: (T,) the same for postsynaptic spikes, or None where no rule needs it.
    """

    synapses: Shaped[Tensor, "k i"]
    threshold: Shaped[Tensor, "k"]
    leak: float
    inhibition: Shaped[Tensor, ""] | None
    pre_trace: Shaped[Tensor, "t"]
    post_trace: Shaped[Tensor, "t"] | None

    @property
    def n_timesteps(self) -> int:
        """T."""
        return len(self.pre_trace)


@dataclass(frozen=True)
class Sums:
    """The sums over samples and steps that plasticity needs; those of two batches add.

    Attributes:
        n_spikes: (K,) n_j, spikes of neuron j.
        pre_at_post: (K, I) S_ji, sum of the presynaptic trace of i at the spikes of j.
        post_at_pre: (K, I) D_ji, sum of the postsynaptic trace of j at the spikes of i, not
            counting spikes of j in the same step; None without a ``post_trace``.
    """

    n_spikes: Int64[Tensor, "k"]
    pre_at_post: Shaped[Tensor, "k i"]
    post_at_pre: Shaped[Tensor, "k i"] | None


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
    margin: Shaped[Tensor, "b k"]
    n_input_spikes: Int64[Tensor, ""]
    sums: Sums | None


@runtime_checkable
class Engine(Protocol):
    """Presents a batch of samples to a circuit."""

    def present(self, inputs: Input, circuit: Circuit, collect: bool) -> Response:
        """Run T steps of encoding, integration and winner-take-all.

        Args:
            inputs: B samples.
            circuit: K neurons and their constants, on the same device.
            collect: whether to gather the sums that learning needs.
        """
        ...
