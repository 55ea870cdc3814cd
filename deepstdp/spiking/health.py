"""Whether a layer works as it should, and which parameter to turn where it does not."""

from dataclasses import dataclass

import torch
from jaxtyping import Int32
from torch import Tensor

from deepstdp.config import STDPConfig
from deepstdp.spiking.encoding import FULL_RATE
from deepstdp.spiking.layer import Labels, LayerState


@dataclass(frozen=True)
class Health:
    """What goes wrong, as shares.

    Attributes:
        dead_neurons: neurons that win no sample.
        silent_samples: samples that make no neuron fire.
        saturated_inputs: of the rates that are not zero, those at their ceiling.
        threshold_drift: farthest that an adaptive threshold has moved, in firing thresholds.
    """

    dead_neurons: float
    silent_samples: float
    saturated_inputs: float
    threshold_drift: float


def examine(state: LayerState, labels: Labels, signed_rates: Int32[Tensor, "b p"] | None) -> Health:
    """Examine a layer after it has labelled the samples that it learnt from.

    Args:
        state: of the layer.
        labels: of the samples.
        signed_rates: of some samples; None where the input is spikes.
    """
    k = len(state.theta)
    saturated = 0.0
    if signed_rates is not None:
        strength = signed_rates.abs()
        saturated = int((strength == FULL_RATE).sum()) / max(int((strength > 0).sum()), 1)
    return Health(
        dead_neurons=1 - len(torch.unique(labels.labels)) / min(k, len(labels.labels)),
        silent_samples=labels.n_silent / len(labels.labels),
        saturated_inputs=saturated,
        threshold_drift=state.theta.abs().max().item() / state.v_threshold,
    )


def complaints(health: Health, config: STDPConfig) -> list[str]:
    """One line for each thing that is wrong, with the parameter that would mend it."""
    threshold = "threshold_drives" if config.v_threshold == "auto" else "v_threshold"
    gain = "input_spikes" if config.gain == "auto" else "gain"
    helps = "set homeostasis" if config.homeostasis == "none" else "raise alpha"
    rules = [
        (health.dead_neurons, 0.05, f"of the neurons win no sample: {helps}, or lower n_clusters"),
        (health.silent_samples, 0.05, f"of the samples make no neuron fire: lower {threshold}"),
        (health.saturated_inputs, 0.2, f"of the input rates are at their ceiling: lower {gain}"),
        (
            health.threshold_drift,
            0.9,
            "of a firing threshold is how far homeostasis moved one: lower alpha",
        ),
    ]
    return [f"{share:.0%} {text}" for share, limit, text in rules if share > limit]
