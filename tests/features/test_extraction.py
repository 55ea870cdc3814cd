import numpy as np
import torch

from deepstdp.backbones import build_network
from deepstdp.config import BackboneConfig
from deepstdp.data.images import InMemory, ranges
from deepstdp.features import extract, held_rows, mapped
from deepstdp.progress import SILENT
from deepstdp.runtime import one_process

IMAGES = torch.randint(0, 256, (10, 3, 16, 16), dtype=torch.uint8)


def features(network, size):
    autocast = one_process("cpu").fabric.autocast
    parts = ranges(0, 10, size)
    return torch.cat(
        list(extract(network, InMemory(IMAGES), parts, SILENT, autocast, network.features))
    )


def test_features_are_those_of_eval_mode_whatever_the_batch():
    network = build_network(BackboneConfig(batch_norm=True), IMAGES, 4, seed=0).train()
    by_four, at_once = (features(network, size) for size in (4, 10))
    assert torch.allclose(by_four, at_once, atol=1e-5)
    assert (by_four >= 0).all()
    assert not by_four.requires_grad
    assert network.training


def test_all_images_are_held_or_some_at_random():
    assert held_rows(5, 5, seed=0).tolist() == [0, 1, 2, 3, 4]
    some = held_rows(1000, 100, seed=1)
    assert len(np.unique(some)) == 100
    assert (np.diff(some) > 0).all()
    assert some[0] < 100
    assert some[-1] > 900
    assert not np.array_equal(some, held_rows(1000, 100, seed=2))


def test_a_mapped_tensor_is_a_tensor_and_leaves_no_file(tmp_path):
    tensor = mapped((4, 3), torch.float32, tmp_path)
    tensor[1] = 2.0
    assert tensor.sum() == 6
    assert list(tmp_path.iterdir()) == []
    assert mapped((1, 1), torch.float64, tmp_path).dtype == torch.float64
