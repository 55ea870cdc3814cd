"""``deepstdp convert`` on real runs, from the command line."""

import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from deepstdp.cli import main
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.run import convert_run
from deepstdp.deployment.saved import CLUSTERS, load_all_spiking, load_network
from deepstdp.errors import UserError
from deepstdp.files import load_tensors
from deepstdp.run_dir import RunDir


def test_a_run_of_digits(run, capsys):
    before = (run.path / "weights.safetensors").read_bytes()
    assert main(["convert", str(run.path), "--timesteps", "64"]) == 0
    printed = capsys.readouterr().out
    record = json.loads((run.path / "spiking" / "conversion.json").read_text())
    assert (run.path / "weights.safetensors").read_bytes() == before
    assert (run.path / "spiking" / "conversion.png").stat().st_size > 10_000
    at = {point["timesteps"]: point for point in record["curve"]}
    assert list(at) == [4, 8, 16, 32, 64, 128]
    convnet = json.loads((run.path / "summary.json").read_text())["final"]["linear_probe_accuracy"]
    assert record["linear_probe_accuracy"] == pytest.approx(convnet, abs=1e-6)
    assert at[64]["linear_probe_accuracy"] == pytest.approx(convnet, abs=0.015)
    assert at[64]["cluster_agreement"] > record["retest_agreement"] - 0.05
    assert record["end_to_end"]["agreement"] > record["retest_agreement"] - 0.05
    assert at[64]["relative_error"] < at[16]["relative_error"] < at[4]["relative_error"]
    row = next(line for line in printed.splitlines() if line.startswith("| ConvNet"))
    assert row.split("|")[2].strip() == f"{100 * convnet:.1f}"
    network = load_network(run.path / "spiking" / "network.safetensors")
    assert [layer.threshold for layer in network.layers] == [1.0] * 4


def test_whole_numbers_and_another_folder(run, tmp_path, capsys):
    out = tmp_path / "chip"
    options = ["--weight_bits", "8", "--reset", "hard", "--start", "zero"]
    options += ["--timesteps", "8", "--n_images", "32", "--out", str(out)]
    assert main(["convert", str(run.path), *options]) == 0
    record = json.loads((out / "conversion.json").read_text())
    assert (record["config"]["weight_bits"], record["config"]["reset"]) == (8, "hard")
    assert load_network(out / "network.safetensors").layers[0].reset == "hard"


def test_the_neurons_go_on_learning_from_spikes(run, tmp_path, capsys):
    before = load_tensors(run.path / "clustering.safetensors")[0]
    options = ["--timesteps", "16", "--learn", "1", "--out", str(tmp_path)]
    assert main(["convert", str(run.path), *options]) == 0
    found = json.loads((tmp_path / "conversion.json").read_text())["end_to_end"]
    after = found["after_learning"]
    assert 0.4 < after["kept"] < 1  # they move, and do not forget
    assert after["nmi_labels"] > found["nmi_labels"] - 0.1
    learnt = load_all_spiking(tmp_path).clusterer.state()
    assert not torch.equal(learnt["neurons.synapses"], before["clusterer.neurons.synapses"])
    # Two passes count as two; without learning the neurons are the run's again.
    assert main(["convert", str(run.path), *options[:2], "--learn", "2", *options[4:]]) == 0
    twice = load_all_spiking(tmp_path).clusterer.state()
    assert twice["n_passes"] == learnt["n_passes"] + 1
    assert main(["convert", str(run.path), *options[:2], *options[4:]]) == 0
    as_it_was = load_all_spiking(tmp_path).clusterer.state()
    assert torch.equal(as_it_was["neurons.synapses"], before["clusterer.neurons.synapses"])
    row = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("| after learning"))
    assert row.split("|")[2].strip() == f"{100 * after['agreement']:.1f}"
    again = load_tensors(run.path / "clustering.safetensors")[0]
    assert torch.equal(again["clusterer.neurons.synapses"], before["clusterer.neurons.synapses"])


def test_the_clusters_of_images_by_spikes_alone(run, tmp_path, capsys):
    """``predict --spiking`` runs what ``convert`` left, which knows the clusters it counted."""
    digits = load_digits().images[:40, None] * (255 / 16)
    np.save(tmp_path / "digits.npy", digits.round().astype(np.uint8).repeat(2, -1).repeat(2, -2))
    assert main(["convert", str(run.path), "--timesteps", "64"]) == 0
    capsys.readouterr()
    command = ["predict", str(run.path), str(tmp_path / "digits.npy")]
    assert main(command) == 0
    by_features = capsys.readouterr().out.splitlines()
    assert main([*command, "--spiking", str(run.path / "spiking")]) == 0
    by_spikes = capsys.readouterr().out.splitlines()
    assert len(by_spikes) == len(by_features) == 41
    assert sum(a == b for a, b in zip(by_spikes, by_features, strict=True)) > 35


def test_a_folder_without_spiking_neurons_is_refused(run, tmp_path, capsys):
    command = ["predict", str(run.path), "images.npy", "--spiking", str(tmp_path)]
    assert main(command) == 2
    assert (
        f"there is no {tmp_path}/network.safetensors: deepstdp convert" in capsys.readouterr().err
    )
    assert main(["convert", str(run.path), "--timesteps", "8", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    (tmp_path / CLUSTERS).write_bytes((tmp_path / "network.safetensors").read_bytes())
    assert main(command) == 2
    assert "holds no STDP neurons behind a ConvNet" in capsys.readouterr().err


def test_spiking_networks_of_other_runs_are_refused(run, clipped_run, tmp_path, capsys):
    assert main(["convert", str(run.path), "--timesteps", "8", "--out", str(tmp_path)]) == 0
    np.save(tmp_path / "digits.npy", load_digits().images[:4, None].astype(np.uint8))
    command = ["predict", str(clipped_run.path), str(tmp_path / "digits.npy")]
    assert main([*command, "--spiking", str(tmp_path)]) == 2
    assert "was converted from another run" in capsys.readouterr().err
    pipeline = load_all_spiking(tmp_path)
    with pytest.raises(UserError, match="takes images of shape"):
        pipeline.clusters(torch.zeros(1, 1, 32, 32))


def test_only_stdp_neurons_learn(tmp_path, class_folder, capsys):
    where = str(tmp_path / "run")
    recipe = ["--data.source", str(class_folder), "--clustering.method", "none"]
    assert main(["train", *recipe, "--run_dir", where]) == 0
    assert main(["convert", where, "--learn", "1"]) == 2
    assert "by none, not by STDP neurons" in capsys.readouterr().err


def test_why_nothing_is_spikes_from_end_to_end_is_said(tmp_path, class_folder, capsys):
    where = str(tmp_path / "run")
    recipe = ["--data.source", str(class_folder), "--training.epochs", "1"]
    recipe += ["--clustering.n_clusters", "3", "--reduction.n_components", "4"]
    population = ["--clustering.stdp.encoding", "population"]
    assert main(["train", *recipe, *population, "--run_dir", where]) == 0
    assert main(["convert", where, "--timesteps", "8"]) == 0
    assert "by encoding population, not as they are (direct)" in capsys.readouterr().out
    photo = str(next(class_folder.rglob("*.png")))
    assert main(["predict", where, photo, "--spiking", f"{where}/spiking"]) == 2
    assert "take features as they are (clustering.stdp.encoding direct)" in capsys.readouterr().err


def test_images_without_labels_have_agreements_and_no_accuracy(tmp_path, class_folder, capsys):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in class_folder.rglob("*.png"):
        path.rename(flat / f"{path.parent.name}-{path.name}")
    where = str(tmp_path / "run")
    recipe = ["--data.source", str(flat), "--training.epochs", "1", "--clustering.n_clusters", "3"]
    assert main(["train", *recipe, "--reduction.n_components", "4", "--run_dir", where]) == 0
    assert main(["convert", where, "--timesteps", "8"]) == 0
    record = json.loads((tmp_path / "run" / "spiking" / "conversion.json").read_text())
    assert "linear_probe_accuracy" not in record
    assert 0 <= record["curve"][-1]["cluster_agreement"] <= 1


def test_the_untrained_network_has_no_clusters(tmp_path, class_folder):
    where = str(tmp_path / "run")
    recipe = ["--data.source", str(class_folder), "--clustering.method", "none"]
    assert main(["train", *recipe, "--run_dir", where]) == 0
    assert main(["convert", where, "--timesteps", "8"]) == 0
    record = json.loads((tmp_path / "run" / "spiking" / "conversion.json").read_text())
    assert "cluster_agreement" not in record["curve"][0]
    assert main(["train", *recipe, "--run_dir", where, "--overwrite"]) == 0
    assert not (tmp_path / "run" / "spiking").exists()


class Residual(nn.Sequential):
    """Says one thing by its layers, and does another."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Flatten())

    def forward(self, x):
        return super().forward(x) + x.flatten(1).abs()


def test_a_backbone_that_does_other_things_than_its_layers_is_refused(tmp_path, class_folder):
    where = str(tmp_path / "run")
    recipe = ["--data.source", str(class_folder), "--clustering.method", "none"]
    own = ["--backbone.class_path", "tests.deployment.test_convert.Residual"]
    grey = ["--backbone.init_args", "{}", "--data.image_size", "8"]
    assert main(["train", *recipe, *own, *grey, "--run_dir", where]) == 0
    with pytest.raises(UserError, match="one after the other, do not compute its features"):
        convert_run(
            RunDir.open(tmp_path / "run", trust_code=True), ConversionConfig(), tmp_path / "out"
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere"], "nowhere is not a run directory"),
        (["{run}", "--timesteps", "0"], "timesteps must lie in 1..4096"),
        (["{run}", "--reset", "firm"], "reset"),
        (["{run}", "--weight_bits", "1"], "weight_bits must lie in 2..16"),
    ],
)
def test_what_is_wrong_is_one_line(run, capsys, options, message):
    assert main(["convert", *(option.format(run=run.path) for option in options)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
