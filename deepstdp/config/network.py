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
        sobel: put a fixed Sobel filter before the first layer, which removes colour.
        class_path: import path of a ``torch.nn.Module`` of your own, in the place of ``name``;
            it maps (B, C, H, W) images to (B, D) features that are not negative.
        init_args: keyword arguments for that class.
    """

    name: Literal["vgg15", "vgg-small", "custom"] = "vgg-small"
    batch_norm: bool = True
    sobel: bool = False
    class_path: str | None = None
    init_args: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settle_custom(self, "name", "backbone")


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
        require_types(self, "training.")
        require(self.epochs >= 0, "training.epochs must not be negative")
        for name in ("batch_size", "reassign_every"):
            require(getattr(self, name) >= 1, f"training.{name} must be at least 1")
        require(self.learning_rate > 0, "training.learning_rate must be positive")
        for name in ("momentum", "weight_decay", "checkpoint_minutes"):
            require(getattr(self, name) >= 0, f"training.{name} must not be negative")
        require(0 <= self.dropout < 1, f"training.dropout must lie in [0, 1), not {self.dropout}")
