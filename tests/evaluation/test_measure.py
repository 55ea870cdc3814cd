import numpy as np
import pytest
import torch

from deepstdp.clustering import Assignment
from deepstdp.config import EvaluationConfig
from deepstdp.evaluation.measure import (
    Truth,
    correct_images,
    measure_assignment,
    measure_features,
    predict_classes,
)

TRUTH = Truth(np.array([0, 0, 1, 1] * 10), np.array([0, 1] * 5))


def separated(labels):
    noise = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(0))
    return noise * 0.1 + torch.eye(4)[torch.from_numpy(labels)]


def assignment(labels, k=3):
    return Assignment(torch.from_numpy(labels), k, {"n_silent": 2})


def test_features_that_separate_the_classes_score_one():
    features, features_val = separated(TRUTH.train), separated(TRUTH.val)
    predictions = predict_classes(features, features_val, TRUTH, EvaluationConfig())
    assert measure_features(predictions, TRUTH) == {
        "linear_probe_accuracy": 1.0,
        "knn_accuracy": 1.0,
    }
    assert correct_images(predictions, TRUTH) == {"linear_probe": "1" * 10, "knn": "1" * 10}
    one_wrong = Truth(TRUTH.train, np.array([1, *TRUTH.val[1:]]))
    assert correct_images(predictions, one_wrong)["knn"] == "0" + "1" * 9


def test_without_labels_nothing_is_claimed():
    x = torch.rand(6, 4)
    assert predict_classes(x, x, None, EvaluationConfig()) is None
    assert set(measure_features(None, None).values()) == {None}
    assert correct_images(None, None) == {}
    metrics = measure_assignment(assignment(TRUTH.train), None, None, None, None)
    assert metrics["nmi_labels"] is None
    assert metrics["nmi_previous"] is None
    assert "cluster_accuracy" not in metrics


def test_a_whole_measurement():
    flipped = TRUTH.train.copy()
    flipped[:10] = 2
    metrics = measure_assignment(
        assignment(TRUTH.train),
        assignment(flipped),
        assignment(TRUTH.val),
        assignment(flipped),
        TRUTH,
    )
    assert metrics["nmi_labels"] == pytest.approx(1)
    assert metrics["assignment_stability"] == 0.75
    assert metrics["retest_agreement"] == 0.75
    assert metrics["cluster_accuracy"] == 1
    assert metrics["n_empty_clusters"] == 1
    assert metrics["n_silent"] == 2
