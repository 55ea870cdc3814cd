import numpy as np
import pytest
import torch

from deepstdp import Config, UserError, load_model, run_experiment
from deepstdp.config import ClusteringConfig, TrainingConfig
from deepstdp.examples import (
    LONGEST_SIDE,
    MOST_IMAGES,
    MOST_PER_CLUSTER,
    _small,
    choose_rows,
    contingency,
    load_examples,
    save_examples,
)


@pytest.fixture(scope="module")
def run(few_digits, tmp_path_factory):
    config = Config(
        clustering=ClusteringConfig(n_clusters=8),
        training=TrainingConfig(epochs=1, batch_size=100),
        accelerator="cpu",
    )
    with pytest.MonkeyPatch.context() as patch:
        plan = ((8,), (16,), (24,))
        patch.setattr("deepstdp.backbones.network._BUILT_IN", {"vgg-small": (plan, None)})
        folder = tmp_path_factory.mktemp("run") / "run"
        yield run_experiment(config, folder, dataset=few_digits)


def test_examples_say_what_the_run_made_of_its_images(run, few_digits):
    examples = load_examples(run)
    images = few_digits.train.images.take(torch.from_numpy(examples.rows)).numpy()
    assert np.array_equal(examples.images, images)
    assert np.array_equal(examples.classes, few_digits.train.labels[examples.rows])
    written = (run.path / "labels.csv").read_text().splitlines()[1:]
    labels = np.array([int(line.rpartition(",")[2]) for line in written])
    assert np.array_equal(examples.clusters, labels[examples.rows])
    assert np.array_equal(examples.sizes, np.bincount(labels, minlength=8))
    assert np.array_equal(
        examples.contingency.sum(axis=0), np.bincount(few_digits.train.labels, minlength=10)
    )
    model, _ = load_model(run)
    again = model.reducer.transform(model.features(torch.from_numpy(images)))
    assert np.allclose(examples.reduced, again.numpy(), atol=1e-5)


def test_rows_are_of_each_cluster_the_largest_first():
    clusters = np.repeat([2, 0, 5], [100, 3, 30])
    rows = choose_rows(clusters, seed=0)
    found = clusters[rows]
    assert list(dict.fromkeys(found)) == [2, 5, 0]
    assert [(found == c).sum() for c in (2, 5, 0)] == [MOST_PER_CLUSTER, MOST_PER_CLUSTER, 3]
    assert len(set(rows)) == len(rows)
    assert not np.array_equal(rows, choose_rows(clusters, seed=1))


def test_rows_are_bounded_however_many_clusters_there_are():
    assert len(choose_rows(np.repeat(np.arange(400), 10), seed=0)) == 3 * 400
    many = choose_rows(np.arange(3 * MOST_IMAGES), seed=0)
    assert len(many) == MOST_IMAGES


def test_contingency_counts():
    table = contingency(np.array([0, 0, 2]), np.array([1, 1, 0]), 3)
    assert table.tolist() == [[0, 2], [0, 0], [1, 0]]


def test_large_images_are_scaled_down():
    small = _small(torch.full((2, 3, 4 * LONGEST_SIDE, 2 * LONGEST_SIDE), 7, dtype=torch.uint8))
    assert small.shape == (2, 3, LONGEST_SIDE, LONGEST_SIDE // 2)
    assert (small == 7).all()


@pytest.mark.parametrize("part", ["clusters", "images", "contingency"])
def test_damaged_examples_are_refused(run, part):
    arrays = vars(load_examples(run))
    run.write_arrays("examples", arrays | {part: arrays[part][:1]})
    with pytest.raises(UserError, match="damaged"):
        load_examples(run)
    run.write_arrays("examples", {k: v for k, v in arrays.items() if k != part})
    with pytest.raises(UserError, match="old version"):
        load_examples(run)
    run.write_arrays("examples", arrays)
    save_examples(run, load_examples(run))
