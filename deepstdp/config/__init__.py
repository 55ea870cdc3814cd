"""Every setting of an experiment: frozen, typed, checked when made.

The defaults are the digits recipe (``configs/digits.yaml``); the paper's settings are in
``configs/tiny-imagenet-10.yaml``.
"""

from dataclasses import dataclass, field
from typing import Literal

from deepstdp.config.checks import require, require_types
from deepstdp.config.clustering import (
    ClusteringConfig,
    KMeansConfig,
    ReductionConfig,
    SinkhornConfig,
)
from deepstdp.config.data import AugmentationConfig, DataConfig
from deepstdp.config.evaluation import EvaluationConfig
from deepstdp.config.network import BackboneConfig, TrainingConfig
from deepstdp.config.spiking import STDPConfig

__all__ = [
    "AugmentationConfig",
    "BackboneConfig",
    "ClusteringConfig",
    "Config",
    "DataConfig",
    "EvaluationConfig",
    "KMeansConfig",
    "ReductionConfig",
    "STDPConfig",
    "SinkhornConfig",
    "TrainingConfig",
]


Accelerator = Literal["auto", "cpu", "cuda", "mps"]


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
        accelerator: kind of device to run on; ``auto`` takes a GPU where there is one.
        devices: how many of them on each machine, one process each; ``auto`` takes all GPUs.
        num_nodes: machines that share the run (started by ``torchrun`` or SLURM).
        precision: of the network's arithmetic, in Fabric's words. Features are kept in single
            precision, or in double with ``64-true`` (the loss stays single).
        compile: compile network and augmentation with ``torch.compile``; where that fails the run
            says so and goes on without.
    """

    data: DataConfig = field(default_factory=DataConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    reduction: ReductionConfig = field(default_factory=ReductionConfig)
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    seed: int = 0
    accelerator: Accelerator = "auto"
    devices: int | Literal["auto"] = 1
    num_nodes: int = 1
    precision: Literal["32-true", "64-true", "16-mixed", "bf16-mixed"] = "32-true"
    compile: bool = False

    def __post_init__(self) -> None:
        require_types(self, "")
        for name in ("devices", "num_nodes"):
            value = getattr(self, name)
            require(value == "auto" or value >= 1, f"{name} must be at least 1, not {value}")
        method = self.clustering.method
        require(
            self.training.targets == "epoch" or method not in ("random", "supervised"),
            f"training.targets batch needs a clusterer that assigns new images: not {method}",
        )
        require(self.seed >= 0, f"seed must not be negative, not {self.seed}")
