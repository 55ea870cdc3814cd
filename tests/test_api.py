import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

import deepstdp
from deepstdp import Config, Result, UserError
from deepstdp.config_files import with_settings
from deepstdp.training.epoch import Trainer

QUICK = {"training.epochs": 1, "evaluation.every": 1}


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.round(bunch.images[:200] * (255 / 16)).astype(np.uint8), bunch.target[:200]


@pytest.fixture(scope="module")
def result(digits, tmp_path_factory):
    images, labels = digits
    settings = QUICK | {"data.image_size": 16}
    path = tmp_path_factory.mktemp("api") / "run <b>"
    return deepstdp.train(
        images, labels, n_clusters=12, settings=settings, run_dir=path, verbose=False
    )


def test_a_result_knows_its_run(result):
    assert result.summary["n_train"] == 160
    assert result.run.config().clustering.n_clusters == 12
    assert [record["epoch"] for record in result.metrics] == [1]
    assert re.search(r"Result\('.*', 1 epochs, linear probe [\d.]+%\)", repr(result))


def test_images_of_any_layout_give_the_same(result, digits):
    images, _ = digits
    features = result.features(images[:5])
    assert features.shape == (5, result.model.network.n_features)
    assert features.dtype == np.float32
    for same in (images[:5, ..., None], torch.from_numpy(images[:5, None]), images[:5] / 255.0):
        np.testing.assert_array_equal(result.features(same), features)
    clusters = result.predict(images)
    assert clusters.shape == (200,)
    assert set(clusters.tolist()) <= set(range(12))
    with pytest.raises(UserError, match="3 channels, the model takes 1"):
        result.predict(np.zeros((2, 8, 8, 3), dtype=np.uint8))


def test_images_of_a_path(result, digits, tmp_path):
    images, _ = digits
    np.save(tmp_path / "new.npy", images[:5])
    from_array = result.features(images[:5])
    np.testing.assert_array_equal(result.features(tmp_path / "new.npy"), from_array)
    clusters = result.predict(str(tmp_path / "new.npy"))
    np.testing.assert_array_equal(clusters, result.predict(images[:5]))
    with pytest.raises(UserError, match="new.png does not exist"):
        result.predict(tmp_path / "new.png")


def test_errors_name_arguments_and_no_options(result, digits):
    with pytest.raises(UserError, match="give resume=True or overwrite=True$"):
        deepstdp.train(digits[0], run_dir=result.path, verbose=False)
    settings = {"data.loading": "stream"}
    with pytest.raises(UserError, match="give data.loading memory"):
        deepstdp.train(digits[0], settings=settings, run_dir=result.path.parent / "x")


def test_paths_in_errors_stay_as_they_are(tmp_path):
    with pytest.raises(UserError, match="a--b/x--resume does not exist"):
        deepstdp.train(tmp_path / "a--b" / "x--resume", run_dir=tmp_path / "run", verbose=False)


def test_names_are_where_they_are_said_to_be():
    assert set(deepstdp._HOMES) == set(deepstdp.__all__)
    code = (
        "import deepstdp\nassert set(deepstdp.__all__) <= set(dir(deepstdp))\n"
        "assert deepstdp.clustering.STDPClustering is deepstdp.STDPClustering\n"
        "assert not hasattr(deepstdp, 'trian')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_in_a_notebook(result):
    html = result._repr_html_()
    assert "untrained" in html
    assert "linear probe" in html
    assert html.count("data:image/webp;base64,") == 1
    assert "run &lt;b&gt;" in html
    assert "<b></code>" not in html, "names stay text"


def test_report(result, tmp_path):
    assert result.report(tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert result.report() == result.path / "report.html"


def test_without_labels_nothing_is_measured(digits, tmp_path):
    images, _ = digits
    config = with_settings(Config(), {**QUICK, "clustering.n_clusters": 5})
    run = deepstdp.train(images[:40], config=config, run_dir=tmp_path / "run", verbose=False)
    assert run.summary["final"]["linear_probe_accuracy"] is None
    assert "no labels" in run._repr_html_()
    assert repr(run).endswith("1 epochs)")


def test_a_run_goes_on_where_it_was_stopped(digits, tmp_path, monkeypatch):
    images, _ = digits
    settings = {"training.epochs": 2, "clustering.n_clusters": 5, "data.image_size": 16}

    def train(name, **options):
        run_dir = tmp_path / name
        run = deepstdp.train(
            images[:40], settings=settings, run_dir=run_dir, verbose=False, **options
        )
        return (run.path / "weights.safetensors").read_bytes()

    step = Trainer._step

    def stopped(*args):
        signal.raise_signal(signal.SIGTERM)
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", stopped)
        with pytest.raises(KeyboardInterrupt, match="resume=True goes on from"):
            train("stopped")
    n_steps = 0

    def counted(*args):
        nonlocal n_steps
        n_steps += 1
        return step(*args)

    monkeypatch.setattr(Trainer, "_step", counted)
    resumed = train("stopped", resume=True)
    assert n_steps == 1  # of two
    assert resumed == train("whole")
    for wrong, message in (
        ({}, "give run_dir"),
        ({"run_dir": tmp_path / "stopped", "overwrite": True}, "not overwrite"),
        ({"run_dir": tmp_path / "mistyped"}, "is not a run directory"),
    ):
        with pytest.raises(UserError, match=message):
            deepstdp.train(images, resume=True, **wrong)


def test_from_a_path_and_a_file(class_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("training: {epochs: 1}\ndata: {image_size: 16}\n")
    run = deepstdp.train(class_folder, n_clusters=4, config=recipe)
    assert "epoch 1/1" in capsys.readouterr().out
    assert run.path.parent.name == "runs"
    assert Result(run.path).summary == run.summary


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"images": np.zeros((4, 8))}, "images: images must be"),
        ({"images": np.zeros((40, 8, 8)), "labels": np.zeros(3, int)}, "labels must be 40 whole"),
        ({"images": "photos", "labels": np.zeros(3, int)}, "labels go with an array"),
        ({"images": np.zeros((40, 8, 8)), "settings": {"lr": 1}}, "did you mean training.learn"),
        ({"images": np.zeros((40, 8, 8))}, "n_clusters is 100, but there are only 32"),
    ],
)
def test_what_cannot_be_used_is_said(wrong, message, tmp_path):
    with pytest.raises(UserError, match=message):
        deepstdp.train(**wrong, run_dir=tmp_path / "run", verbose=False)
    assert not (tmp_path / "run").exists()


def test_an_unfinished_run_is_no_result(tmp_path):
    from deepstdp.run_dir import RunDir

    run = RunDir.create(tmp_path / "run", Config())
    with pytest.raises(UserError, match="not finished"):
        Result(run)
