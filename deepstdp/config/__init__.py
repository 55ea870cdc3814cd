"""Every setting of an experiment: frozen, typed, checked when made.

The defaults are the digits recipe (``configs/digits.yaml``); the paper's settings are in
``configs/tiny-imagenet-10.yaml``.
"""

from dataclasses import dataclass, field
from typing import Literal

from deepstdp.config.checks import require
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
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        require(self.seed >= 0, f"seed must not be negative, not {self.seed}")
