"""Every setting of an experiment: frozen, typed, checked when made.

The defaults are the digits recipe (``configs/digits.yaml``); the paper's settings are in
``configs/tiny-imagenet-10.yaml``.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from deepstdp.errors import UserError

Auto = Literal["auto"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)


@dataclass(frozen=True)
class DataConfig:
    """Where the images come from.

    Args:
        source: ``digits``, or the path of a Tiny ImageNet folder or zip, an image folder
            (``root/<class>/*.png`` or flat), or an ``.npz`` / ``.npy`` of images.
        classes: ``all``, ``first-N`` in naming order, or a list of class names.
        image_size: side length to which images are resized; null keeps their own size.
        validation_fraction: share held out where the source has no validation split of its own.
        on_error: what to do about a file that cannot be decoded.
    """

    source: str = "digits"
    classes: str | list[str] = "all"
    image_size: int | None = 16
    validation_fraction: float = 0.2
    on_error: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        _require(
            0 < self.validation_fraction < 1,
            f"data.validation_fraction must lie between 0 and 1, not {self.validation_fraction}",
        )
        _require(
            self.image_size is None or self.image_size >= 4,
            f"data.image_size must be at least 4, not {self.image_size}",
        )


@dataclass(frozen=True)
class AugmentationConfig:
    """Random changes to the images that the ConvNet is trained on.

    Args:
        crop_scale: smallest and largest share of the area that a crop keeps.
        crop_ratio: smallest and largest width-to-height ratio of a crop.
        flip: probability of a horizontal flip.
        brightness: brightness is shifted by at most this.
        contrast: contrast is scaled by a factor within 1 +- this.
        saturation: the same for saturation (RGB images only).
        hue: hue is turned by at most this share of the circle (RGB images only).
        grayscale: probability of removing the colour (RGB images only).
    """

    crop_scale: tuple[float, float] = (0.6, 1.0)
    crop_ratio: tuple[float, float] = (0.8, 1.25)
    flip: float = 0.0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.crop_scale
        _require(
            0 < low <= high <= 1, f"augmentation.crop_scale must rise within (0, 1]: {low, high}"
        )
        low, high = self.crop_ratio
        _require(0 < low <= high, f"augmentation.crop_ratio must be positive and rise: {low, high}")
        for name in ("flip", "brightness", "contrast", "saturation", "grayscale"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"augmentation.{name} must lie in [0, 1], not {value}")
        _require(0 <= self.hue <= 0.5, f"augmentation.hue must lie in [0, 0.5], not {self.hue}")


@dataclass(frozen=True)
class BackboneConfig:
    """The rate-based ConvNet.

    Args:
        name: a built-in network.
        batch_norm: normalise after each convolution (folds into the weights at conversion).
        sobel: put a fixed Sobel filter before the first layer, which removes colour.
        class_path: import path of a ``torch.nn.Module`` of your own, in the place of ``name``;
            it maps (B, C, H, W) images to (B, D) features that are not negative.
        init_args: keyword arguments for that class.
    """

    name: Literal["vgg15", "vgg-small"] = "vgg-small"
    batch_norm: bool = True
    sobel: bool = False
    class_path: str | None = None
    init_args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReductionConfig:
    """From features to what the clusterer sees.

    Args:
        n_components: principal components kept (P); fewer if the features have fewer.
        align: turn the new components onto those of the last epoch.
    """

    n_components: int = 64
    align: bool = True

    def __post_init__(self) -> None:
        _require(self.n_components >= 1, "reduction.n_components must be at least 1")


@dataclass(frozen=True)
class STDPConfig:
    """The spiking clustering layer. Times are in ms.

    Args:
        engine: which implementation presents the samples.
        n_timesteps: steps for which each sample is presented (T).
        dt: length of a step.
        gain: factor from features to spike probabilities; ``auto`` aims at ``input_spikes``.
        input_spikes: spikes that a sample makes in a step, over all channels, with the automatic
            gain; at most half as many as there are features.
        v_threshold: firing threshold; ``auto`` is ``threshold_drives`` times the mean best drive.
        threshold_drives: see ``v_threshold``.
        tau_mem: time constant of the membrane.
        tau_pre: time constant of the presynaptic trace.
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

    engine: Literal["reference"] = "reference"
    n_timesteps: int = 25
    dt: float = 1.0
    gain: float | Auto = "auto"
    input_spikes: float = 25.0
    v_threshold: float | Auto = "auto"
    threshold_drives: float = 8.0
    tau_mem: float = 20.0
    tau_pre: float = 4.5
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
    batch_size: int = 250
    n_passes: int = 1
    persistent: bool = True

    def __post_init__(self) -> None:
        for name in ("n_timesteps", "batch_size", "n_passes"):
            _require(getattr(self, name) >= 1, f"clustering.stdp.{name} must be at least 1")
        positive = ("dt", "tau_mem", "tau_pre", "tau_theta", "input_spikes", "threshold_drives")
        for name in (*positive, "floor_ratio", "max_step"):
            _require(getattr(self, name) > 0, f"clustering.stdp.{name} must be positive")
        for name in ("gain", "v_threshold"):
            value = getattr(self, name)
            _require(value == "auto" or value > 0, f"clustering.stdp.{name}: auto or above 0")
        _require(0 < self.eta <= 1, f"clustering.stdp.eta must lie in (0, 1], not {self.eta}")
        for name in ("alpha", "initial_noise", "x_target", "mu", "depression"):
            _require(getattr(self, name) >= 0, f"clustering.stdp.{name} must not be negative")


@dataclass(frozen=True)
class KMeansConfig:
    """Lloyd's algorithm.

    Args:
        n_iterations: Lloyd steps each time (faiss, as DeepCluster uses it, takes 20).
    """

    n_iterations: int = 20

    def __post_init__(self) -> None:
        _require(self.n_iterations >= 1, "clustering.kmeans.n_iterations must be at least 1")


@dataclass(frozen=True)
class SinkhornConfig:
    """Balanced clustering by optimal transport.

    Args:
        epsilon: entropy of the transport plan: smaller is harder and more balanced only slowly.
        n_normalisations: row and column scalings for each plan.
        n_iterations: alternations of plan and prototypes each time.
    """

    epsilon: float = 0.05
    n_normalisations: int = 20
    n_iterations: int = 10

    def __post_init__(self) -> None:
        _require(self.epsilon > 0, "clustering.sinkhorn.epsilon must be positive")
        for name in ("n_normalisations", "n_iterations"):
            _require(getattr(self, name) >= 1, f"clustering.sinkhorn.{name} must be at least 1")


Method = Literal["stdp", "kmeans", "kmeans-warm", "sinkhorn", "random", "none"]


@dataclass(frozen=True)
class ClusteringConfig:
    """Where the pseudo-labels come from.

    Args:
        method: a built-in clusterer; ``none`` leaves the network untrained.
        n_clusters: number of clusters (K); the paper takes ten times the number of classes.
        class_path: import path of a clusterer of your own (anything with ``fit_predict``, such
            as scikit-learn's), in the place of ``method``.
        init_args: keyword arguments for that class.
        stdp: settings of ``stdp``.
        kmeans: settings of ``kmeans`` and ``kmeans-warm``.
        sinkhorn: settings of ``sinkhorn``.
    """

    method: Method = "stdp"
    n_clusters: int = 100
    class_path: str | None = None
    init_args: dict[str, Any] = field(default_factory=dict)
    stdp: STDPConfig = field(default_factory=STDPConfig)
    kmeans: KMeansConfig = field(default_factory=KMeansConfig)
    sinkhorn: SinkhornConfig = field(default_factory=SinkhornConfig)

    def __post_init__(self) -> None:
        _require(
            self.n_clusters >= 1, f"clustering.n_clusters must be at least 1, not {self.n_clusters}"
        )


@dataclass(frozen=True)
class TrainingConfig:
    """How the ConvNet learns the pseudo-labels.

    Args:
        epochs: times that every image is seen.
        batch_size: images in a step.
        learning_rate: of SGD.
        momentum: of SGD.
        weight_decay: of SGD.
        dropout: share of the features hidden from the head.
        head: keep the classifier head between epochs, or make a new one; ``auto`` keeps it where
            the clusterer's labels keep their meaning.
        sampler: ``uniform`` over clusters, ``as-published`` (what DeepCluster's code does: the
            same draws, applied to the data in cluster order), or ``shuffle``.
        reassign_every: epochs from one clustering to the next.
        checkpoint_minutes: minutes between checkpoints.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 1e-5
    dropout: float = 0.1
    head: Literal["auto", "kept", "reset"] = "auto"
    sampler: Literal["uniform", "as-published", "shuffle"] = "uniform"
    reassign_every: int = 1
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        _require(self.epochs >= 0, "training.epochs must not be negative")
        for name in ("batch_size", "reassign_every"):
            _require(getattr(self, name) >= 1, f"training.{name} must be at least 1")
        _require(self.learning_rate > 0, "training.learning_rate must be positive")
        for name in ("momentum", "weight_decay", "checkpoint_minutes"):
            _require(getattr(self, name) >= 0, f"training.{name} must not be negative")
        _require(0 <= self.dropout < 1, f"training.dropout must lie in [0, 1), not {self.dropout}")


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, and how often.

    Args:
        every: epochs between evaluations; 0 evaluates at the end only.
        knn_neighbours: neighbours that vote.
        probe_inverse_regularisation: scikit-learn's C of the linear probe.
        probe_iterations: most L-BFGS steps of the linear probe.
    """

    every: int = 1
    knn_neighbours: int = 20
    probe_inverse_regularisation: float = 0.1
    probe_iterations: int = 100

    def __post_init__(self) -> None:
        _require(self.every >= 0, "evaluation.every must not be negative")
        for name in ("knn_neighbours", "probe_iterations"):
            _require(getattr(self, name) >= 1, f"evaluation.{name} must be at least 1")
        _require(
            self.probe_inverse_regularisation > 0,
            "evaluation.probe_inverse_regularisation must be positive",
        )


@dataclass(frozen=True)
class Config:
    """One experiment.

    Args:
        data: images.
        augmentation: random changes to the training images.
        backbone: the ConvNet.
        reduction: PCA, whitening and alignment.
        clustering: pseudo-labels.
        training: the ConvNet's learning.
        evaluation: what is measured.
        seed: of every random number.
        accelerator: device to run on; ``auto`` takes a GPU where there is one.
    """

    data: DataConfig = field(default_factory=DataConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    reduction: ReductionConfig = field(default_factory=ReductionConfig)
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    seed: int = 0
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    def __post_init__(self) -> None:
        _require(self.seed >= 0, f"seed must not be negative, not {self.seed}")
