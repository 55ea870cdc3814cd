"""A run to export."""

import pytest

from deepstdp.config import ClusteringConfig, Config, DataConfig, TrainingConfig
from deepstdp.run_dir import RunDir
from deepstdp.runner import run_experiment


@pytest.fixture(scope="package")
def run(tmp_path_factory) -> RunDir:
    config = Config(
        data=DataConfig(image_size=16),
        clustering=ClusteringConfig(n_clusters=12),
        training=TrainingConfig(epochs=2),
        accelerator="cpu",
    )
    return run_experiment(config, tmp_path_factory.mktemp("runs") / "digits")
