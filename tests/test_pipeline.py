"""What the loop promises of an epoch."""

from dataclasses import replace

import pytest
import torch

from deepstdp import pipeline
from deepstdp.config import ClusteringConfig, Config, DataConfig, STDPConfig, TrainingConfig
from deepstdp.data import load_dataset
from deepstdp.model import build_model
from deepstdp.pipeline import Loop
from deepstdp.progress import SILENT

SMALL_ENOUGH = 4  # counts of spikes and samples


@pytest.mark.parametrize("method", ["stdp", "kmeans", "kmeans-warm", "sinkhorn", "random"])
def test_learning_takes_nothing_but_scalars_from_the_device(tmp_path, method, monkeypatch):
    """Watched on the CPU, by the calls that would copy from a GPU.

    What is measured of pseudo-labels (NMI and the like) is on the host, and left out here.
    """
    stdp = STDPConfig(engine="reference")  # the CPU's own engine works in the host's memory
    config = Config(
        data=DataConfig(classes="first-2"),
        clustering=ClusteringConfig(method=method, n_clusters=5, stdp=stdp),
        reduction=replace(Config().reduction, solver="subspace", n_components=16),
        training=TrainingConfig(epochs=3),
        accelerator="cpu",
    )
    dataset = load_dataset(config.data, 0)
    loop = Loop(
        config, dataset, build_model(config, dataset.train.images), SILENT, scratch=tmp_path
    )
    monkeypatch.setattr(pipeline, "measure_assignment", lambda *parts: {})
    loop.learn(1)  # the first takes scales and seeds from the data
    taken: list[tuple[str, int]] = []
    for name in ("cpu", "numpy", "tolist", "__array__"):
        original = getattr(torch.Tensor, name)

        def watched(self, *args, _name=name, _original=original, **kwargs):
            if self.numel() > SMALL_ENOUGH:
                taken.append((_name, self.numel()))
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, watched)
    loop.learn(2)
    # Indices of batches, which the host makes and the device gets, are no such copies.
    assert taken == []
