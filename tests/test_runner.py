"""The whole loop on small data: what it leaves, and what it promises."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from deepstdp.config import (
    ClusteringConfig,
    EvaluationConfig,
    ReductionConfig,
)
from deepstdp.data import ImageSet
from deepstdp.errors import UserError
from deepstdp.model import load, load_model
from deepstdp.pipeline import STAGES
from deepstdp.run_dir import RunDir
from deepstdp.run_lock import LOCK
from deepstdp.runner import run_experiment
from deepstdp.training.epoch import Trainer
from tests.small_runs import learnt, small, weights

METRICS = {
    "epoch", "loss", "nmi_labels", "nmi_previous", "assignment_stability", "n_empty_clusters",
    "cluster_entropy", "linear_probe_accuracy", "knn_accuracy",
    *(f"seconds_{stage}" for stage in STAGES),
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("three_blocks")


def test_what_a_run_leaves(tmp_path, few_digits):
    run = run_experiment(small(), tmp_path / "run", dataset=few_digits)
    records = run.metrics()
    assert [r["epoch"] for r in records] == [1, 2, 3]
    assert all(set(r) >= METRICS for r in records)
    assert records[0]["nmi_previous"] is None
    assert 0 < records[2]["assignment_stability"] <= 1
    assert 0 < records[2]["retest_agreement"] <= 1
    assert records[2]["loss"] < records[0]["loss"]
    summary = run.summary()
    untrained = summary["untrained"]["linear_probe_accuracy"]
    assert untrained > 0.5
    right = summary["correct_untrained"]["linear_probe"].count("1")
    assert right / summary["n_val"] == untrained
    assert set(summary["final"]) >= {"nmi_labels", "cluster_accuracy", "firing_rate", "n_silent"}
    assert summary["versions"]["torch"] == torch.__version__
    assert summary["hardware"]["device"] == "cpu"
    assert summary["wall_seconds"] > 0
    lines = (run.path / "labels.csv").read_text().splitlines()
    assert lines[0] == "image,pseudo_label"
    assert len(lines) == 301
    assert not run.checkpoints()
    assert not list(run.path.glob("*.tmp"))


def test_same_seed_same_run_bit_for_bit(tmp_path, few_digits):
    runs = [
        run_experiment(small(seed=s), tmp_path / str(i), dataset=few_digits)
        for i, s in enumerate((1, 1, 2))
    ]
    assert weights(runs[0]) == weights(runs[1])
    assert learnt(runs[0]) == learnt(runs[1])
    assert (runs[0].path / "clustering.safetensors").read_bytes() == (
        runs[1].path / "clustering.safetensors"
    ).read_bytes()
    assert weights(runs[0]) != weights(runs[2])


@pytest.mark.parametrize("method", ["stdp", "kmeans"])
def test_shuffled_labels_leave_training_bit_identical(tmp_path, few_digits, method):
    def shuffled(part: ImageSet) -> ImageSet:
        return replace(part, labels=np.random.default_rng(9).permutation(part.labels))

    other = replace(few_digits, train=shuffled(few_digits.train), val=shuffled(few_digits.val))
    honest = run_experiment(small(method), tmp_path / "a", dataset=few_digits)
    blind = run_experiment(small(method), tmp_path / "b", dataset=other)
    assert weights(honest) == weights(blind)
    assert (honest.path / "labels.csv").read_bytes() == (blind.path / "labels.csv").read_bytes()
    assert learnt(honest)[2]["nmi_labels"] > learnt(blind)[2]["nmi_labels"] + 0.1


def test_clusters_follow_the_labels_beyond_chance(tmp_path, few_digits):
    run = run_experiment(small(), tmp_path / "run", dataset=few_digits)
    rows = (run.path / "labels.csv").read_text().splitlines()[1:]
    clusters = np.array([int(row.rpartition(",")[2]) for row in rows])
    rng = np.random.default_rng(0)
    chance = [
        normalized_mutual_info_score(rng.permutation(few_digits.train.labels), clusters)
        for _ in range(100)
    ]
    nmi = run.summary()["final"]["nmi_labels"]
    assert nmi == pytest.approx(normalized_mutual_info_score(few_digits.train.labels, clusters))
    assert nmi > np.quantile(chance, 0.99)


def test_resume_refuses_another_config_and_leaves_finished_runs(tmp_path, few_digits):
    run = run_experiment(small(epochs=1), tmp_path / "run", dataset=few_digits)
    before = weights(run)
    again = run_experiment(small(epochs=1), tmp_path / "run", dataset=few_digits, resume=True)
    assert weights(again) == before
    with pytest.raises(UserError, match="another config"):
        run_experiment(small(epochs=2), tmp_path / "run", dataset=few_digits, resume=True)


def test_untrained_network(tmp_path, few_digits):
    run = run_experiment(small("none"), tmp_path / "run", dataset=few_digits)
    (record,) = run.metrics()
    assert record["epoch"] == 0
    assert record["loss"] is None
    assert run.summary()["final"] == run.summary()["untrained"]
    assert not (run.path / "labels.csv").exists()
    trained = run_experiment(small(epochs=1), tmp_path / "other", dataset=few_digits)
    assert trained.summary()["untrained"] == run.summary()["untrained"]


def test_without_labels_everything_but_accuracy_is_there(tmp_path, few_digits):
    bare = replace(
        few_digits,
        train=replace(few_digits.train, labels=None),
        val=replace(few_digits.val, labels=None),
        class_names=None,
    )
    run = run_experiment(small(epochs=2), tmp_path / "run", dataset=bare)
    record = run.metrics()[1]
    assert record["linear_probe_accuracy"] is None
    assert record["nmi_labels"] is None
    assert record["nmi_previous"] > 0


def test_evaluation_and_reassignment_intervals(tmp_path, few_digits):
    config = replace(small(epochs=4, reassign_every=2), evaluation=EvaluationConfig(every=3))
    records = run_experiment(config, tmp_path / "run", dataset=few_digits).metrics()
    assert [r["linear_probe_accuracy"] is not None for r in records] == [False, False, True, True]
    assert [r["seconds_clustering"] > 0 for r in records] == [True, False, True, False]


def test_the_head_is_kept_or_reset(tmp_path, few_digits, monkeypatch):
    resets = []
    monkeypatch.setattr(Trainer, "forget_head", lambda self, epoch: resets.append(epoch))
    for method, head, expected in [
        ("stdp", "auto", []),
        ("kmeans", "auto", [2, 3]),
        ("kmeans-warm", "auto", []),
        ("stdp", "reset", [2, 3]),
        ("kmeans", "kept", []),
    ]:
        resets.clear()
        run_experiment(small(method, head=head), tmp_path / f"{method}-{head}", dataset=few_digits)
        assert resets == expected, (method, head)


def test_a_loaded_model_repeats_the_run(tmp_path, few_digits):
    run = run_experiment(small("kmeans"), tmp_path / "run", dataset=few_digits)
    model, shape = load_model(RunDir.open(run.path))
    assert shape == (1, 8, 8)
    rows = (run.path / "labels.csv").read_text().splitlines()[1:]
    expected = [int(row.rpartition(",")[2]) for row in rows]
    assert model.assign(few_digits.train.images).labels.tolist() == expected
    network = load(run.path)
    assert not network.training
    images = few_digits.train.images.take(torch.arange(5))
    torch.testing.assert_close(network.features(images / 255), model.features(images))


class Tiny(torch.nn.Module):
    """A backbone of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 12)

    def forward(self, x):
        return torch.relu(self.layer(x.flatten(1)))


def test_own_backbone_and_clusterer_from_python(tmp_path, few_digits):
    from sklearn.cluster import MiniBatchKMeans

    torch.manual_seed(0)
    backbone, clusterer = Tiny(), MiniBatchKMeans(20, random_state=0)
    run = run_experiment(
        small("none", epochs=2),
        tmp_path / "run",
        dataset=few_digits,
        backbone=backbone,
        clusterer=clusterer,
    )
    assert len(run.metrics()) == 2
    model, _ = load_model(run, backbone=Tiny(), clusterer=clusterer)
    assert model.network.n_features == 12
    assert torch.equal(model.network.backbone.layer.weight, backbone.layer.weight)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(small(), clustering=ClusteringConfig(n_clusters=301)), "only 300 training images"),
        (replace(small(), accelerator="cuda"), "accelerator cuda.*cannot be had here"),
        (replace(small(), clustering=ClusteringConfig(class_path="a.b")), "cannot be imported"),
    ],
)
def test_bad_input_leaves_no_run_directory(tmp_path, few_digits, config, message):
    if config.accelerator == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(UserError, match=message):
        run_experiment(config, tmp_path / "run", dataset=few_digits)
    assert not (tmp_path / "run").exists()


def test_metrics_are_json_that_any_reader_takes(tmp_path, few_digits):
    run = run_experiment(small(epochs=1), tmp_path / "run", dataset=few_digits)
    for line in (run.path / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_a_run_that_fails_in_its_first_epoch_leaves_nothing(tmp_path, few_digits):
    with pytest.raises(UserError, match="diverged"):
        run_experiment(small(learning_rate=1e30), tmp_path / "run", dataset=few_digits)
    assert not (tmp_path / "run").exists()


def test_own_objects_are_named_in_the_config(tmp_path, few_digits):
    run = run_experiment(
        small("none", epochs=0), tmp_path / "run", dataset=few_digits, backbone=Tiny()
    )
    assert run.config().backbone.name == "custom"
    assert run.config().backbone.class_path.endswith("test_runner.Tiny")


@pytest.mark.parametrize("method", ["stdp", "kmeans"])
def test_more_images_than_are_held_are_reduced_as_they_come(tmp_path, few_digits, method):
    config = replace(small(method), reduction=ReductionConfig(n_components=8, max_samples=100))
    run = run_experiment(config, tmp_path / "run", dataset=few_digits)
    whole = run_experiment(small(method), tmp_path / "whole", dataset=few_digits)
    labels = (run.path / "labels.csv").read_text().splitlines()
    assert len(labels) == 1 + len(few_digits.train)
    few, all_ = run.summary()["final"], whole.summary()["final"]
    assert few["nmi_labels"] > all_["nmi_labels"] - 0.15
    # A probe that learnt from other images' labels would be at chance, 0.1.
    assert few["linear_probe_accuracy"] > all_["linear_probe_accuracy"] - 0.2
    assert few["knn_accuracy"] > all_["knn_accuracy"] - 0.3
    assert few["cluster_accuracy"] > 0.3


@pytest.mark.parametrize("options", [{"resume": True}, {"overwrite": True}])
def test_a_run_that_another_process_writes_is_left_alone(
    tmp_path, few_digits, monkeypatch, options
):
    monkeypatch.setattr("deepstdp.run_lock.PATIENCE", 0)
    config = small(epochs=1)
    run = RunDir.create(tmp_path / "run", config)
    before = (run.path / "config.yaml").read_bytes()
    code = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(run.path / LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(UserError, match="another process is writing .* wait for it or stop it"):
            run_experiment(config, run.path, dataset=few_digits, **options)
        assert {path.name for path in run.path.iterdir()} == {"config.yaml", LOCK}
        assert (run.path / "config.yaml").read_bytes() == before
        other.kill()
    # One that is gone keeps nobody.
    assert run_experiment(config, run.path, dataset=few_digits, **options).summary() is not None


def test_a_run_is_kept_from_others_until_its_end(tmp_path, few_digits, monkeypatch):
    monkeypatch.setattr("deepstdp.run_lock.PATIENCE", 0)
    path, step, refused = tmp_path / "run", Trainer._step, 0

    def tried(*args):
        nonlocal refused
        for options in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(UserError, match="another process is writing"):
                run_experiment(config, path, dataset=few_digits, **options)
            refused += 1
        monkeypatch.setattr(Trainer, "_step", step)
        return step(*args)

    config = small(epochs=1)
    monkeypatch.setattr(Trainer, "_step", tried)
    first = weights(run_experiment(config, path, dataset=few_digits))
    assert refused == 2
    again = run_experiment(config, path, dataset=few_digits, overwrite=True)
    assert weights(again) == first
    assert len(again.metrics()) == 1
