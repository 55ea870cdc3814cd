"""Runs of a few seconds, on the fixtures ``few_digits`` and ``three_blocks``."""

from deepstdp.config import (
    ClusteringConfig,
    Config,
    DataConfig,
    ReductionConfig,
    TrainingConfig,
)
from deepstdp.run_dir import RunDir

SWAPPED = {
    "targets": "batch",
    "views": 2,
    "small_views": 1,
    "teacher_momentum": 0.9,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
}
"""Settings of the recipe that predicts one view's cluster from another."""


def small(method="stdp", seed=0, epochs=3, **training) -> Config:
    return Config(
        seed=seed,
        data=DataConfig(image_size=8),
        reduction=ReductionConfig(n_components=32),
        clustering=ClusteringConfig(method=method, n_clusters=20),
        training=TrainingConfig(epochs=epochs, **training),
    )


def weights(run: RunDir) -> bytes:
    return (run.path / "weights.safetensors").read_bytes()


def learnt(run: RunDir) -> list[dict]:
    """Metrics without times."""
    return [{k: v for k, v in m.items() if not k.startswith("seconds")} for m in run.metrics()]
