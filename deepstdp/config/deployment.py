"""Settings of the conversion to a spiking network."""

from dataclasses import dataclass
from typing import Literal

from deepstdp.config.checks import require, require_types
from deepstdp.config.spiking import MAX_TIMESTEPS

Reset = Literal["soft", "hard"]


@dataclass(frozen=True)
class ConversionConfig:
    """How a trained ConvNet becomes a network of integrate-and-fire neurons.

    Args:
        timesteps: steps that an image is presented (T); scales and biases are fitted for it.
        reset: a spike takes the threshold away (``soft``), or resets the membrane to 0 (``hard``).
        multispike: neurons fire as often in a step as they reach their threshold; membranes then
            stay above minus the threshold, as sinabs and its chips have them (``soft`` reset).
        start: membranes begin at half the threshold, or at zero; this is how readers of exported
            files begin, and half a threshold is then added over the steps by the bias.
        input: images as ``constant`` currents, or as ``poisson`` spikes.
        scale: activation that a spike in every step stands for: the largest (``max``), that
            percentile of the activations, or for each layer whichever of several percentiles
            gives the smallest error (``auto``).
        calibrate: fit biases to the mean activation of each channel; layer by layer.
        n_images: training images that scales and biases are fitted to.
        weight_bits: whole-number weights of so many bits; biases, thresholds and inputs are whole
            numbers too. None leaves real numbers.
        input_bits: the same for a constant input, with ``weight_bits``; None is 8.
        learn: passes in which the STDP neurons go on learning; from the spikes of the training
            images that reach them.
        seed: of the choice of images; also of their order, and of Poisson spikes.
    """

    timesteps: int = 32
    reset: Reset = "soft"
    multispike: bool = False
    start: Literal["half", "zero"] = "half"
    input: Literal["constant", "poisson"] = "constant"
    scale: Literal["auto", "max"] | float = "auto"
    calibrate: bool = True
    n_images: int = 128
    weight_bits: int | None = None
    input_bits: int | None = None
    learn: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        require_types(self, "")
        most = MAX_TIMESTEPS // 2  # accuracy is measured up to twice as many
        require(
            1 <= self.timesteps <= most, f"timesteps must lie in 1..{most}, not {self.timesteps}"
        )
        require(not self.multispike or self.reset == "soft", "multispike goes with reset soft only")
        require(self.n_images >= 1, f"n_images must be at least 1, not {self.n_images}")
        is_percentile = not isinstance(self.scale, str)
        require(
            not is_percentile or 0 < float(self.scale) <= 100,
            f"scale must be auto, max or a percentile in (0, 100], not {self.scale}",
        )
        bits = self.weight_bits
        require(bits is None or 2 <= bits <= 16, f"weight_bits must lie in 2..16, not {bits}")
        n_input = self.input_bits
        require(
            n_input is None or 2 <= n_input <= 16, f"input_bits must lie in 2..16, not {n_input}"
        )
        require(
            n_input is None or (bits is not None and self.input == "constant"),
            "input_bits goes with weight_bits and constant input only",
        )
        require(self.learn >= 0, f"learn must not be negative, not {self.learn}")
        require(self.seed >= 0, f"seed must not be negative, not {self.seed}")
