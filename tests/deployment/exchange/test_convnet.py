"""The ConvNet as ONNX: read by onnxruntime, and refused when it is wrong."""

import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

import deepstdp
from deepstdp.cli import main


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "digits.onnx"
    assert main(["export", str(run.path), "--target", "onnx", "--out", str(path)]) == 0
    return path


def test_images_of_any_number_have_the_network_s_features_and_logits(run, exported):
    network = deepstdp.load(run.path)
    session = onnxruntime.InferenceSession(exported)
    for n in (1, 5):
        images = torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(n))
        features, logits = session.run(["features", "logits"], {"images": images.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(features), network.features(images).cpu())
            torch.testing.assert_close(torch.from_numpy(logits), network(images).cpu())


def test_verify_reads_it(run, exported, capsys):
    assert main(["verify", str(exported), "--run", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"onnxruntime {onnxruntime.__version__}: 0 of ")


def test_a_clipped_relu_is_exported(clipped_run, tmp_path, capsys):
    path = tmp_path / "clipped.onnx"
    assert main(["export", str(clipped_run.path), "--target", "onnx", "--out", str(path)]) == 0
    assert main(["verify", str(path), "--run", str(clipped_run.path)]) == 0
    assert " values differ by more than " in capsys.readouterr().out


def test_a_wrong_file_fails(run, exported, tmp_path, capsys):
    model = onnx.load(exported)
    first = next(x for x in model.graph.initializer if len(x.dims) == 4)
    first.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(first) * 1.1, first.name))
    onnx.save(model, tmp_path / "wrong.onnx")
    assert main(["verify", str(tmp_path / "wrong.onnx"), "--run", str(run.path)]) == 1
    assert ": 0 of " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["export", "--target", "onnx", "{run}", "--out", "x.nir"],
            "must end in .onnx for --target onnx",
        ),
        (
            ["export", "--target", "onnx", "{run}", "--timesteps", "8", "--out", "x.onnx"],
            "--timesteps is for spiking networks",
        ),
        (
            ["export", "--target", "onnx", "{run}", "--reset", "soft", "--out", "x.onnx"],
            "--reset is for spiking networks",
        ),
        (["verify", "nothing.onnx", "--run", "{run}"], "nothing.onnx does not exist"),
        (["verify", "{damaged}", "--run", "{run}"], "is no ONNX file"),
        (["verify", "{damaged}"], "does not say which run it is of: name it with --run RUN"),
    ],
)
def test_what_is_wrong_is_one_line(run, tmp_path, capsys, command, message):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"not a network")
    assert main([part.format(run=run.path, damaged=damaged) for part in command]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
