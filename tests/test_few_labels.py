"""Fine-tuning with few labels."""

from dataclasses import replace

import numpy as np
import torch

from deepstdp.config import ClusteringConfig, Config, DataConfig, EvaluationConfig, TrainingConfig
from deepstdp.data import load_dataset
from deepstdp.few_labels import few_of_each, fine_tuned_accuracies
from deepstdp.model import build_model
from deepstdp.runner import run_experiment

CONFIG = Config(
    data=DataConfig(classes="first-3"),
    clustering=ClusteringConfig(method="none"),
    training=TrainingConfig(batch_size=16),
    evaluation=EvaluationConfig(label_fractions=[0.02, 0.5], fine_tuning_epochs=10),
    accelerator="cpu",
)


def test_a_share_of_each_class_and_larger_shares_hold_smaller_ones():
    labels = np.array([0] * 100 + [1] * 40 + [2] * 3)
    few, more = (few_of_each(labels, fraction, seed=1) for fraction in (0.05, 0.5))
    assert np.bincount(labels[few]).tolist() == [5, 2, 1]
    assert np.bincount(labels[more]).tolist() == [50, 20, 2]
    assert set(few) <= set(more)
    assert (np.diff(more) > 0).all()
    assert set(few) != set(few_of_each(labels, 0.05, seed=2))


def test_more_labels_help_and_the_model_stays_as_it_is():
    dataset = load_dataset(CONFIG.data, 0)
    model = build_model(CONFIG, dataset.train.images)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    found = fine_tuned_accuracies(model, dataset, CONFIG)
    assert list(found) == ["fine_tuned_accuracy_0.02", "fine_tuned_accuracy_0.5"]
    assert 0.4 < found["fine_tuned_accuracy_0.02"] < found["fine_tuned_accuracy_0.5"]
    assert found["fine_tuned_accuracy_0.5"] > 0.95
    assert found == fine_tuned_accuracies(model, dataset, CONFIG)
    after = model.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_unlabelled_images_have_nothing_to_fine_tune_on():
    dataset = load_dataset(CONFIG.data, 0)
    bare = replace(dataset, train=replace(dataset.train, labels=None))
    assert fine_tuned_accuracies(build_model(CONFIG, dataset.train.images), bare, CONFIG) == {}


def test_a_run_reports_it(tmp_path):
    config = replace(CONFIG, evaluation=replace(CONFIG.evaluation, label_fractions=[0.1]))
    final = run_experiment(config, tmp_path / "run").summary()["final"]
    assert final["fine_tuned_accuracy_0.1"] > 0.5
