"""What a person reads who mistypes."""

import pytest

from deepstdp.cli import main


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train photos", "unexpected photos: settings have names, see deepstdp train --help"),
        ("compare", "missing --out: deepstdp compare --help has an example"),
        ("export", "missing RUN and --out: deepstdp export --help has an example"),
        ("verify", "missing FILE: deepstdp verify --help has an example"),
        (
            "train --data.image_size x",
            "data.image_size takes a whole number or null, not x",
        ),
        ("train --training.epochs three", "training.epochs takes a whole number, not three"),
        ("train --training.learning_rate fast", "training.learning_rate takes a number, not fast"),
        (
            "train --clustering.method kmean",
            "clustering.method takes stdp, kmeans, kmeans-warm, sinkhorn, random, supervised, none "
            "or custom, not kmean; did you mean kmeans?",
        ),
        ("train --backbone.sobel maybe", "backbone.sobel takes true or false, not maybe"),
        (
            "train --clustering.stdp.gain high",
            "clustering.stdp.gain takes a number or auto, not high",
        ),
        ("train --epochs 3", "unknown option --epochs; did you mean --training.epochs?"),
    ],
)
def test_an_error_names_the_option_and_what_it_takes(capsys, command, message):
    assert main(command.split()) == 2
    assert capsys.readouterr().err == f"deepstdp: error: {message}\n"


def test_a_file_is_told_the_same(tmp_path, capsys):
    path = tmp_path / "wrong.yaml"
    path.write_text("training: {epochs: many}\n")
    assert main(["train", "--config", str(path)]) == 2
    assert "training.epochs takes a whole number, not many" in capsys.readouterr().err
