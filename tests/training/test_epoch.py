import numpy as np
import pytest
import torch

from deepstdp.backbones import build_network
from deepstdp.config import AugmentationConfig, BackboneConfig, TrainingConfig
from deepstdp.data import InMemory
from deepstdp.errors import UserError
from deepstdp.progress import SILENT
from deepstdp.training.epoch import build_optimizer, forget_head, train_epoch

LABELS = torch.arange(40) % 2
IMAGES = (LABELS[:, None, None, None] * 200).expand(40, 1, 16, 16).to(torch.uint8)


def make(config):
    network = build_network(BackboneConfig(), IMAGES, 2, seed=0)
    return network, build_optimizer(network, config)


def run(network, optimizer, config, epoch=1):
    order = np.arange(40)
    return train_epoch(
        network,
        optimizer,
        InMemory(IMAGES),
        LABELS,
        order,
        0,
        epoch,
        config,
        AugmentationConfig(),
        SILENT,
    )


def test_loss_falls_to_nothing_on_what_is_plain_to_see():
    config = TrainingConfig(batch_size=10, learning_rate=0.05)
    network, optimizer = make(config)
    losses = [run(network, optimizer, config, epoch) for epoch in range(1, 9)]
    assert losses[0] < np.log(2) + 0.1
    assert losses[-1] < 0.05


def test_divergence_is_said():
    config = TrainingConfig(batch_size=10, learning_rate=1e9)
    network, optimizer = make(config)
    with pytest.raises(UserError, match="lower --training.learning_rate"):
        run(network, optimizer, config)


def test_a_new_head_forgets_its_momentum_and_nothing_else():
    config = TrainingConfig()
    network, optimizer = make(config)
    run(network, optimizer, config)
    body = [p for name, p in network.named_parameters() if not name.startswith("head")]
    before = [p.clone() for p in body]
    old = network.head.weight.clone()
    forget_head(network, optimizer, seed=0, epoch=5)
    assert not torch.equal(old, network.head.weight)
    assert network.head.weight not in optimizer.state
    assert all(p in optimizer.state for p in body)
    assert all(torch.equal(a, b) for a, b in zip(before, body, strict=True))
