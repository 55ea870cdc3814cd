import torch

from deepstdp.backbones import build_network
from deepstdp.config import BackboneConfig
from deepstdp.data.images import InMemory, ranges
from deepstdp.features import extract
from deepstdp.progress import SILENT


def test_features_are_those_of_eval_mode_whatever_the_batch():
    images = torch.randint(0, 256, (10, 3, 16, 16), dtype=torch.uint8)
    network = build_network(BackboneConfig(batch_norm=True), images, 4, seed=0).train()
    parts = (ranges(0, 10, size) for size in (4, 10))
    by_four, at_once = (
        torch.cat(list(extract(network, InMemory(images), part, SILENT))) for part in parts
    )
    assert torch.allclose(by_four, at_once, atol=1e-5)
    assert (by_four >= 0).all()
    assert not by_four.requires_grad
    assert network.training
