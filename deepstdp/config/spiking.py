"""Settings of the spiking clustering layer."""

from dataclasses import dataclass
from typing import Literal

from deepstdp.config.checks import require, require_types

Auto = Literal["auto"]
EngineName = Literal["auto", "reference", "cpu", "cuda"]

MAX_TIMESTEPS = 1 << 13
"""Beyond this, two draws of a sample would share a counter (see ``spiking.encoding``)."""

MAX_FEATURES = 1 << 13
"""Beyond this, most int8 synapses of a vector of unit length would be zero."""

MOST_STEPS_IN_BATCH = 1 << 18
"""Samples times steps of a batch: beyond it an int32 sum of traces could overflow."""


@dataclass(frozen=True)
class STDPConfig:
    """The spiking clustering layer. Times are in ms.

    Args:
        engine: which implementation presents the samples; ``auto`` takes the fastest.
        arithmetic: ``fixed`` has integer membranes and int8 synapses with an int32 master, as
            chips have, and the same results from every engine; ``float`` is there to compare
            (``reference`` engine only).
        encoding: how features become rates. ``direct`` takes them as they are, ``centred`` their
            direction from the mean, ``population`` the tuning curves of 512 units, by which what
            counts is distance. ``auto`` is ``direct`` for the whitened unit vectors of Deep-STDP;
            for other data it is ``population`` below 128 features, else ``centred``.
        n_timesteps: steps for which each sample is presented (T).
        dt: length of a step; rates are per step, time constants per ms.
        gain: factor from features to spike probabilities; ``auto`` aims at ``input_spikes``.
        input_spikes: spikes that a sample makes in a step, over all channels, with the automatic
            gain; at most half as many as there are features.
        v_threshold: firing threshold; ``auto`` is ``threshold_drives`` times the mean best drive.
        threshold_drives: see ``v_threshold``.
        tau_mem: time constant of the membrane.
        tau_pre: time constant of the presynaptic trace.
        tau_post: time constant of the postsynaptic trace (``pair`` rule).
        inhibition: ``hard`` resets every membrane when one neuron fires; ``graded`` lowers the
            others by ``inhibition_strength`` thresholds.
        inhibition_strength: see ``inhibition``.
        rule: the plasticity rule.
        eta: learning rate of one spike.
        x_target: presynaptic trace below which a synapse weakens, in units of the mean trace
            (``weight-dependent`` rule).
        weight_dependence: ``power``, (1 - w)^mu, or ``exponential``, exp(-mu w).
        mu: exponent or rate of the weight dependence.
        depression: weakening per presynaptic spike relative to the strengthening per
            postsynaptic one (``pair`` rule).
        max_step: longest step of a synapse vector in one batch (additive rules).
        homeostasis: ``floor`` helps only neurons that win less than 1/(floor_ratio K) of the
            samples; ``dual`` drives to equal shares; ``relaxing`` rises with each spike and
            decays; ``none``.
        alpha: step of the adaptive threshold, in firing thresholds, per sample presented.
        floor_ratio: see ``homeostasis``.
        tau_theta: samples over which a ``relaxing`` threshold decays.
        theta_in_labels: whether the adaptive threshold takes part when images are labelled.
        initial_noise: standard deviation of the noise on the initial synapses.
        batch_size: samples that see the same synapses.
        n_passes: passes over the samples each time the layer learns.
        persistent: keep the synapses from epoch to epoch.
    """

    engine: EngineName = "auto"
    arithmetic: Literal["fixed", "float"] = "fixed"
    encoding: Literal["auto", "direct", "centred", "population"] = "auto"
    n_timesteps: int = 25
    dt: float = 1.0
    gain: float | Auto = "auto"
    input_spikes: float = 25.0
    v_threshold: float | Auto = "auto"
    threshold_drives: float = 8.0
    tau_mem: float = 20.0
    tau_pre: float = 4.5
    tau_post: float = 4.5
    inhibition: Literal["hard", "graded"] = "hard"
    inhibition_strength: float = 1.0
    rule: Literal["centroid", "pair", "weight-dependent"] = "centroid"
    eta: float = 0.02
    x_target: float = 1.0
    weight_dependence: Literal["power", "exponential"] = "power"
    mu: float = 1.0
    depression: float = 1.0
    max_step: float = 0.1
    homeostasis: Literal["floor", "dual", "relaxing", "none"] = "floor"
    alpha: float = 2e-4
    floor_ratio: float = 4.0
    tau_theta: float = 1000.0
    theta_in_labels: bool = True
    initial_noise: float = 0.01
    batch_size: int = 500
    n_passes: int = 1
    persistent: bool = True

    def __post_init__(self) -> None:
        require_types(self, "clustering.stdp.")
        for name in ("n_timesteps", "batch_size", "n_passes"):
            require(getattr(self, name) >= 1, f"clustering.stdp.{name} must be at least 1")
        require(
            self.n_timesteps <= MAX_TIMESTEPS,
            f"clustering.stdp.n_timesteps must be at most {MAX_TIMESTEPS}, not {self.n_timesteps}",
        )
        most = MOST_STEPS_IN_BATCH // self.n_timesteps
        require(
            self.batch_size <= most,
            f"clustering.stdp.batch_size must be at most {most} with {self.n_timesteps} time steps",
        )
        require(
            self.arithmetic == "fixed" or self.engine in ("auto", "reference"),
            f"clustering.stdp.engine {self.engine} has fixed-point arithmetic only",
        )
        positive = (
            "dt",
            "tau_mem",
            "tau_pre",
            "tau_post",
            "tau_theta",
            "input_spikes",
            "threshold_drives",
        )
        for name in (*positive, "floor_ratio", "max_step"):
            require(getattr(self, name) > 0, f"clustering.stdp.{name} must be positive")
        for name in ("gain", "v_threshold"):
            value = getattr(self, name)
            require(value == "auto" or value > 0, f"clustering.stdp.{name}: auto or above 0")
        require(0 < self.eta <= 1, f"clustering.stdp.eta must lie in (0, 1], not {self.eta}")
        for name in (
            "alpha",
            "initial_noise",
            "x_target",
            "mu",
            "depression",
            "inhibition_strength",
        ):
            require(getattr(self, name) >= 0, f"clustering.stdp.{name} must not be negative")

    def largest_batch(self, n_timesteps: int) -> int:
        """Samples of a batch: ``batch_size``, or fewer if they are of very many steps."""
        return max(1, min(self.batch_size, MOST_STEPS_IN_BATCH // n_timesteps))

    @property
    def fixed_point(self) -> bool:
        """Whether the arithmetic is a chip's."""
        return self.arithmetic == "fixed"
