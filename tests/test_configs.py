"""The shipped configs: each loads, says what it needs, and runs for a few steps on tiny data."""

from dataclasses import replace
from pathlib import Path

import pytest

from deepstdp.config import Config
from deepstdp.config_files import load_config
from deepstdp.runner import run_experiment

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


def test_there_are_configs():
    assert {path.stem for path in CONFIGS} == {
        "digits",
        "tiny-imagenet-10",
        "tiny-imagenet-10-cpu",
        "deep-stdp-2",
        "deep-stdp-2-cpu",
    }


def test_the_defaults_are_the_digits_recipe():
    assert load_config(Path("configs/digits.yaml")) == Config()


def test_the_papers_settings():
    config = load_config(Path("configs/tiny-imagenet-10.yaml"))
    assert (config.backbone.name, config.backbone.batch_norm) == ("vgg15", False)
    assert (config.clustering.n_clusters, config.data.image_size) == (100, 64)
    training = config.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (200, 256, 0.01)
    assert (training.momentum, training.weight_decay, training.dropout) == (0.9, 1e-5, 0.1)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_header(path):
    comment = "".join(line for line in path.read_text().splitlines() if line.startswith("#"))
    for word in ("command:", "expected:", "hardware:", "time:"):
        assert word in comment


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_each_config_runs_on_tiny_data(path, tiny_zip, tmp_path):
    config = load_config(path)
    size = min(config.data.image_size, 32)  # the smallest that vgg15 takes
    config = replace(
        config,
        data=replace(config.data, source=str(tiny_zip), classes="first-4", image_size=size),
        clustering=replace(config.clustering, n_clusters=6),
        training=replace(config.training, epochs=2, batch_size=16),
        evaluation=replace(config.evaluation, label_fractions=[]),
    )
    run = run_experiment(config, tmp_path / "run")
    assert len(run.metrics()) == 2
    assert run.summary()["final"]["linear_probe_accuracy"] is not None
