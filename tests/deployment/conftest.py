"""Runs to convert and to export."""

from pathlib import Path

import pytest

from deepstdp.config import BackboneConfig, ClusteringConfig, Config, DataConfig, TrainingConfig
from deepstdp.run_dir import RunDir
from deepstdp.runner import run_experiment


@pytest.fixture(scope="package")
def run(tmp_path_factory) -> RunDir:
    """A run of the digits."""
    return trained(tmp_path_factory.mktemp("runs") / "digits", BackboneConfig())


@pytest.fixture(scope="package")
def clipped_run(tmp_path_factory) -> RunDir:
    """The same with the ReLU for few steps."""
    return trained(tmp_path_factory.mktemp("runs") / "clipped", BackboneConfig(levels=8))


def trained(path: Path, backbone: BackboneConfig) -> RunDir:
    config = Config(
        data=DataConfig(image_size=16),
        backbone=backbone,
        clustering=ClusteringConfig(n_clusters=12),
        training=TrainingConfig(epochs=2),
        accelerator="cpu",
    )
    return run_experiment(config, path)
