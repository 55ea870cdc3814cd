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


def test_the_teacher_follows_the_student_and_no_gradient_reaches_it():
    network, trainer = make(batch_size=10, teacher_momentum=0.5)
    before = {name: p.clone() for name, p in network.named_parameters()}
    trainer.epoch(IMAGES, LABELS, 1)
    moved = dict(trainer.student.named_parameters())
    for name, p in network.named_parameters():
        assert p.grad is None
        assert not torch.equal(p, before[name])
        assert not torch.equal(p, moved[name])
    assert {id(p) for p in moved.values()} == {
        id(p) for group in trainer.optimizer.param_groups for p in group["params"]
    }
    assert not set(trainer.student.parameters()) & set(network.parameters())


def test_without_a_teacher_the_network_itself_learns():
    network, trainer = make()
    assert trainer.student is network


def test_targets_beat_the_pseudo_labels():
    """Images that look alike but for their halves' labels: soft targets are learnt as such."""
    network, trainer = make(batch_size=20, learning_rate=0.05, sampler="shuffle", dropout=0.0)
    seen = []

    def targets(views):
        assert not views.requires_grad
        seen.append(views)
        return torch.tensor([[0.75, 0.25]]).expand(len(views), 2)

    losses = [trainer.epoch(IMAGES, LABELS, epoch, targets) for epoch in range(1, 9)]
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert losses[-1] == pytest.approx(entropy, abs=0.02)
    assert len(seen) == 16
    network.eval()
    with torch.no_grad():
        probabilities = torch.softmax(network(PIXELS / 255), dim=1)
    assert probabilities[:, 0].mean().item() == pytest.approx(0.75, abs=0.1)


def test_the_loss_is_the_mean_over_views():
    losses = {}
    for views in (1, 3):
        settings = {"dropout": 0.0, "sampler": "shuffle", "learning_rate": 1e-9}
        _, trainer = make(batch_size=40, views=views, **settings)
        losses[views] = trainer.epoch(IMAGES, LABELS, 1)
    assert losses[3] == pytest.approx(losses[1], abs=0.05)
