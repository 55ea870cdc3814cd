import numpy as np
import pytest
import torch

from deepstdp.backbones import build_network
from deepstdp.config import BackboneConfig, Config, TrainingConfig
from deepstdp.data import InMemory
from deepstdp.errors import UserError
from deepstdp.progress import SILENT
from deepstdp.runtime import one_process
from deepstdp.training.epoch import Trainer

LABELS = torch.arange(40) % 2
PIXELS = (LABELS[:, None, None, None] * 200).expand(40, 1, 16, 16).to(torch.uint8)
IMAGES = InMemory(PIXELS)


def make(**settings):
    network = build_network(BackboneConfig(), PIXELS, 2, seed=0)
    config = Config(training=TrainingConfig(**settings))
    return network, Trainer(network, config, one_process("cpu"), SILENT)


def test_loss_falls_to_nothing_on_what_is_plain_to_see():
    _, trainer = make(batch_size=10, learning_rate=0.05)
    losses = [trainer.epoch(IMAGES, LABELS, epoch) for epoch in range(1, 13)]
    assert losses[0] < np.log(2) + 0.1
    assert losses[-1] < 0.05


def test_divergence_is_said():
    _, trainer = make(batch_size=10, learning_rate=1e9)
    with pytest.raises(UserError, match="lower --training.learning_rate"):
        trainer.epoch(IMAGES, LABELS, 1)


def test_a_new_head_forgets_its_momentum_and_nothing_else():
    network, trainer = make()
    trainer.epoch(IMAGES, LABELS, 1)
    body = [p for name, p in network.named_parameters() if not name.startswith("head")]
    before = [p.clone() for p in body]
    old = network.head.weight.clone()
    trainer.forget_head(epoch=5)
    assert not torch.equal(old, network.head.weight)
    assert network.head.weight not in trainer.optimizer.state
    assert all(p in trainer.optimizer.state for p in body)
    assert all(torch.equal(a, b) for a, b in zip(before, body, strict=True))


def test_without_dropout_the_loss_is_that_of_the_plain_network():
    network, trainer = make(batch_size=40, dropout=0.0, sampler="shuffle", learning_rate=1e-9)
    loss = trainer.epoch(IMAGES, LABELS, 1)
    assert loss == pytest.approx(np.log(2), abs=0.05)
