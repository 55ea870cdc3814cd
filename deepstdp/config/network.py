"""Settings of the ConvNet and of its learning."""

from dataclasses import dataclass, field
from typing import Any, Literal

from deepstdp.config.checks import require, require_types, settle_custom


@dataclass(frozen=True)
class BackboneConfig:
    """The rate-based ConvNet.

    Args:
        name: a built-in network; ``custom`` follows from ``class_path``.
        batch_norm: normalise after each convolution (folds into the weights at conversion).
        levels: above zero, of a clipped ReLU that is rounded to them: what neurons can say in so
            many steps, for spiking networks of few steps (Bu et al. 2022). 0 is a plain ReLU.
        sobel: put a fixed Sobel filter before the first layer, which removes colour.
        class_path: import path of a ``torch.nn.Module`` of your own, in the place of ``name``;
            it maps (B, C, H, W) images to (B, D) features that are not negative.
        init_args: keyword arguments for that class.
        head_hidden: units of a hidden layer in the head, with BatchNorm; 0 is a linear head.
    """

    name: Literal["vgg15", "vgg-small", "custom"] = "vgg-small"
    batch_norm: bool = True
    levels: int = 0
    sobel: bool = False
    class_path: str | None = None
    init_args: dict[str, Any] = field(default_factory=dict)
    head_hidden: int = 0

    def __post_init__(self) -> None:
        require(self.head_hidden >= 0, "backbone.head_hidden must not be negative")
        require(self.levels >= 0, "backbone.levels must not be negative")
        require(
            self.levels == 0 or self.class_path is None,
            "backbone.levels is for the built-in networks: one of your own has its own ReLU",
        )
        settle_custom(self, "name", "backbone")


@dataclass(frozen=True)
class TrainingConfig:
    """How the ConvNet learns the pseudo-labels.

    Args:
        epochs: times that every image is seen.
        batch_size: images in a step.
        learning_rate: of SGD.
        schedule: keep the learning rate, or let it fall to zero along half a cosine.
        warmup_epochs: epochs over which the learning rate rises from zero.
        momentum: of SGD.
        weight_decay: of SGD.
        dropout: share of the features hidden from the head.
        targets: what an image is to be classified as: the pseudo-label that it got for the
            ``epoch``, or what the clusterer says of another view of it in the ``batch``, a
            distribution over clusters (swapped prediction, as in SwAV).
        views: augmented views of each image from which the target is predicted.
        small_views: further views, crops of ``augmentation.small_crop_scale``.
        teacher_momentum: features are those of a teacher, the running mean of the trained
            network's weights with this momentum a step; 0 is the trained network itself.
        head: keep the classifier head between epochs, or make a new one; ``auto`` keeps it where
            the clusterer's labels keep their meaning.
        sampler: ``uniform`` over clusters, ``as-published`` (what DeepCluster's code does: the
            same draws, applied to the data in cluster order), or ``shuffle``.
        reassign_every: epochs from one clustering to the next.
        checkpoint_minutes: minutes between checkpoints.
        checkpoints_kept: how many are kept, for the case that the last one is damaged.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.05
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 1e-5
    dropout: float = 0.1
    targets: Literal["epoch", "batch"] = "epoch"
    views: int = 1
    small_views: int = 0
    teacher_momentum: float = 0.0
    head: Literal["auto", "kept", "reset"] = "auto"
    sampler: Literal["uniform", "as-published", "shuffle"] = "uniform"
    reassign_every: int = 1
    checkpoint_minutes: float = 5.0
    checkpoints_kept: int = 2

    def __post_init__(self) -> None:
        require_types(self, "training.")
        require(self.epochs >= 0, "training.epochs must not be negative")
        for name in ("batch_size", "reassign_every", "views", "checkpoints_kept"):
            require(getattr(self, name) >= 1, f"training.{name} must be at least 1")
        require(self.learning_rate > 0, "training.learning_rate must be positive")
        at_least_zero = ("momentum", "weight_decay", "checkpoint_minutes", "warmup_epochs")
        for name in (*at_least_zero, "small_views"):
            require(getattr(self, name) >= 0, f"training.{name} must not be negative")
        for name in ("dropout", "teacher_momentum"):
            value = getattr(self, name)
            require(0 <= value < 1, f"training.{name} must lie in [0, 1), not {value}")
