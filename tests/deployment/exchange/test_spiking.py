"""Exported files: replayed by hand-computed and real readers, and refused when they are wrong."""

import json
import os
import re
import shutil

import h5py
import nir
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from deepstdp.backbones.front_end import Normalise, Sobel
from deepstdp.cli import main
from deepstdp.config import ClusteringConfig, Config, DataConfig, TrainingConfig
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.accuracy import clusters_of
from deepstdp.deployment.exchange.dialects import DIALECTS
from deepstdp.deployment.exchange.front_end import FrontEnd
from deepstdp.deployment.exchange.readers import READERS, installed_version, read_and_run
from deepstdp.deployment.exchange.replay import replay
from deepstdp.deployment.exchange.spiking import export_nir, verify_nir
from deepstdp.deployment.source import Source
from deepstdp.errors import UserError
from deepstdp.model import load_model
from deepstdp.runner import run_experiment

QUICK = ("--timesteps", "8", "--n_images", "32")
INSTALLED_BY_MAKE_TEST = ("snntorch", "spikingjelly")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "digits.nir"
    command = ["export", str(run.path), "--target", "snntorch", *QUICK, "--out", str(path)]
    assert main(command) == 0
    return path


def one_neuron(threshold: float, node=None) -> nir.NIRGraph:
    one = np.ones((1, 1, 1), np.float32)
    weight, bias = np.full((1, 1, 1, 1), 3.0, np.float32), np.zeros(1, np.float32)
    neuron = node or nir.IF(r=one, v_threshold=threshold * one, v_reset=0 * one)
    return nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": np.array([1, 1, 1])}),
            "a": nir.Conv2d((1, 1), weight, 1, 0, 1, 1, bias),
            "b": neuron,
            "output": nir.Output({"output": np.array([1, 1, 1])}),
        },
        edges=[("input", "a"), ("a", "b"), ("b", "output")],
    )


def test_a_neuron_by_hand():
    """A current of 3 and a threshold of 4, for 8 steps."""
    image = np.ones((2, 1, 1, 1))
    # 3 | 6, 2 | 5, 1 | 4, 0: three spikes in four steps
    assert replay(one_neuron(4), image, 8, 1.0, "soft").tolist() == [[6], [6]]
    # 3 | 6, 0 | 3 | 6, 0
    assert replay(one_neuron(4), image, 8, 1.0, "hard").tolist() == [[4], [4]]
    one = np.ones((1, 1, 1), np.float32)
    # tau = 2 dt, R = 2: v <- v / 2 + 3: 3 | 4.5, 0 | 3 | 4.5, 0
    # The current of 3 fires 3 | 6, 2 | 5, 1 | 4, 0 as above; a threshold of 2 twice at times.
    assert replay(one_neuron(4), image, 8, 1.0, "soft", multispike=True).tolist() == [[6], [6]]
    assert replay(one_neuron(2), image, 4, 1.0, "soft", multispike=True).tolist() == [[6], [6]]
    leaky = nir.LIF(tau=2 * one, r=2 * one, v_leak=0 * one, v_threshold=4 * one, v_reset=0 * one)
    assert replay(one_neuron(4, leaky), image, 4, 1.0, "hard").tolist() == [[2], [2]]
    assert replay(one_neuron(4, leaky), image, 4, 0.5, "hard").tolist() == [[1], [1]]


@pytest.mark.parametrize(("stride", "padding", "kernel"), [(1, 1, 3), (2, 1, 4), (3, 0, 2)])
def test_the_replayed_convolution_is_torch_s(stride, padding, kernel):
    """Thresholds of 1 and inputs for one step: fired where the current reaches them."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 2, 9, 9, generator=g)
    weight, bias = torch.randn(4, 2, kernel, kernel, generator=g), torch.randn(4, generator=g)
    currents = functional.conv2d(x, weight, bias, stride, padding)
    one = np.ones(currents.shape[1:], np.float32)
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": np.array([2, 9, 9])}),
            "a": nir.Conv2d((9, 9), weight.numpy(), stride, padding, 1, 1, bias.numpy()),
            "b": nir.IF(r=one, v_threshold=one, v_reset=0 * one),
            "output": nir.Output({"output": np.array(one.shape)}),
        },
        edges=[("input", "a"), ("a", "b"), ("b", "output")],
    )
    fired = replay(graph, x.numpy(), 1, 1.0, "hard")
    assert np.array_equal(fired, (currents >= 1).flatten(1).numpy())


def test_graphs_that_are_no_chain_are_refused():
    graph = one_neuron(1)
    graph.edges.append(("a", "output"))
    with pytest.raises(UserError, match="no chain"):
        replay(graph, np.ones((1, 1, 1, 1)), 1, 1.0, "hard")
    threshold = one_neuron(1, nir.Threshold(np.ones((1, 1, 1))))
    with pytest.raises(UserError, match="has a Threshold"):
        replay(threshold, np.ones((1, 1, 1, 1)), 1, 1.0, "hard")
    for name, value in (("groups", 2), ("dilation", (2, 2)), ("padding", "same")):
        graph = one_neuron(1)
        setattr(graph.nodes["a"], name, value)
        with pytest.raises(UserError, match="groups, dilation or a named padding"):
            replay(graph, np.ones((1, 1, 1, 1)), 1, 1.0, "hard")


def require_reader(target: str) -> None:
    if installed_version(target) is None:
        assert target not in INSTALLED_BY_MAKE_TEST
        pytest.skip(f"{target} is not installed: make test-readers")


@pytest.mark.parametrize("target", ["snntorch", "spikingjelly", "norse", "sinabs"])
@pytest.mark.parametrize("weight_bits", ["8", "4"])
def test_real_readers_find_the_same_spikes(run, tmp_path, capsys, target, weight_bits):
    require_reader(target)
    path = tmp_path / "digits.nir"
    command = ["export", str(run.path), "--target", target, "--weight_bits", weight_bits, *QUICK]
    assert main([*command, "--out", str(path)]) == 0
    hint, kept = capsys.readouterr().out.splitlines()
    assert "from_nir(" in hint
    assert re.fullmatch(
        r"linear probe \S+%, the ConvNet \S+% \(.*points\); same cluster \S+% \(retest .*%\); "
        r"error 0\.\d+",
        kept,
    )
    assert main(["verify", str(path), "--run", str(run.path)]) == 0
    front_end, ours, kept_again, theirs = capsys.readouterr().out.splitlines()
    assert front_end.startswith("front end: 0 of ")
    assert ours.startswith("NumPy: 0 of ")
    assert kept_again == f"ConvNet: {kept}"
    assert theirs.startswith(f"{target} {installed_version(target)}: 0 of ")


def test_a_file_without_a_reader_has_the_soft_reset_of_convert(run, tmp_path, capsys):
    path = tmp_path / "digits.nir"
    options = [*QUICK, "--out", str(path)]
    assert main(["export", str(run.path), *options]) == 0
    assert "8 steps, soft reset" in capsys.readouterr().out
    assert main(["verify", str(path), "--run", str(run.path)]) == 0
    assert nir.read(path).metadata["reset"] == "soft"


def changed(path, tmp_path, change):
    graph = nir.read(path)
    change(graph)
    nir.write(tmp_path / "changed.nir", graph)
    return tmp_path / "changed.nir"


def test_a_wrong_file_fails(run, exported, tmp_path, capsys):
    def more_weight(graph):
        graph.nodes["synapses_4"].weight[0] += 1

    wrong = changed(exported, tmp_path, more_weight)
    assert main(["verify", str(wrong), "--run", str(run.path)]) == 1
    _, ours, _, theirs = capsys.readouterr().out.splitlines()
    for line in (ours, theirs):
        assert " spike counts differ, by " in line
        assert not line.split(": ")[1].startswith("0 ")


def test_a_file_that_agrees_with_itself_alone_fails(run, exported, tmp_path, capsys):
    """No spikes, as its own counts say, and nothing of the ConvNet."""

    def silence(graph):
        for i in range(1, 5):
            node = graph.nodes[f"synapses_{i}"]
            node.weight, node.bias = 0 * node.weight, 0 * node.bias
        graph.metadata["spike_counts"] = 0 * graph.metadata["spike_counts"]

    wrong = changed(exported, tmp_path, silence)
    assert main(["verify", str(wrong), "--run", str(run.path)]) == 1
    _, ours, kept, theirs = capsys.readouterr().out.splitlines()
    assert ours.startswith("NumPy: 0 of ")
    assert ": 0 of " in theirs
    assert "the file says relative_error 0." in kept
    scaled = rewritten(exported, tmp_path, lambda info: info.update(scale=10 * info["scale"]))
    assert main(["verify", str(scaled), "--run", str(run.path)]) == 1
    assert ", the file says relative_error 0." in capsys.readouterr().out


def test_a_file_that_its_reader_cannot_run_fails(run, exported, tmp_path, capsys):
    def plain_neurons(graph):
        """What snnTorch reads as leaky: it then fails when it runs."""
        one = np.ones(graph.nodes["neurons_1"].v_threshold.shape, np.float32)
        graph.nodes["neurons_1"] = nir.IF(
            one, graph.nodes["neurons_1"].v_threshold, v_reset=0 * one
        )

    wrong = changed(exported, tmp_path, plain_neurons)
    assert main(["verify", str(wrong), "--run", str(run.path)]) == 1
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith(f"snntorch {installed_version('snntorch')}: ")
    assert "Error" in line


@pytest.mark.parametrize(("key", "value"), [("T", 7), ("reset", "soft"), ("dt", 1.0)])
def test_wrong_metadata_fail(run, exported, tmp_path, key, value):
    """Other readers see these, so they are what is verified."""
    wrong = changed(exported, tmp_path, lambda graph: graph.metadata.update({key: value}))
    assert main(["verify", str(wrong), "--run", str(run.path)]) == 1


def rewritten(path, tmp_path, change):
    """A file whose own metadata are changed."""

    def rewrite(graph):
        info = json.loads(graph.metadata["deepstdp"])
        change(info)
        graph.metadata["deepstdp"] = json.dumps(info)

    return changed(path, tmp_path, rewrite)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"sobel": True}, "shape"),
        ({"std": [0.5]}, "differ"),
        ({"mean": [0.0] * 3, "std": [1.0] * 3}, "values"),
    ],
)
def test_another_front_end_fails(run, exported, tmp_path, capsys, change, found):
    wrong = rewritten(exported, tmp_path, lambda info: info["front_end"].update(change))
    assert main(["verify", str(wrong), "--run", str(run.path)]) == 1
    first, ours, _, theirs = capsys.readouterr().out.splitlines()
    assert first.startswith("front end: ")
    assert found in first
    assert not first.startswith("front end: 0 of ")
    assert all(": 0 of " in line for line in (ours, theirs))


def test_the_front_end_is_the_network_s(run):
    g = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, 3, 6, 5), generator=g, dtype=torch.uint8)
    normalise = Normalise.fit(images)
    numbers = {"mean": normalise.mean.tolist(), "std": normalise.std.tolist()}
    for sobel in (False, True):
        front_end = nn.Sequential(normalise, Sobel(3)) if sobel else normalise
        expected = front_end(images / 255).numpy()
        found = FrontEnd.read(numbers | {"sobel": sobel})(images.numpy())
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_learnt_is_in_the_file(run, exported):
    found = json.loads(nir.read(exported).metadata["deepstdp"])
    clusterer = load_model(run)[0].clusterer
    assert found["stdp"]["gain"] == pytest.approx(clusterer.gain)
    assert (found["stdp"]["encoding"], found["stdp"]["n_clusters"]) == ("direct", 12)
    assert found["stdp"]["v_threshold"] > 0
    assert found["measured"]["curve"][0]["timesteps"] == 8


def test_a_reader_that_lacks_a_package_has_not_failed(run, exported, monkeypatch, capsys):
    def lacking(*_):
        raise ModuleNotFoundError("No module named 'nirtorch'")

    monkeypatch.setitem(READERS, "snntorch", lacking)
    assert main(["verify", str(exported), "--run", str(run.path)]) == 0
    assert "not run, No module named 'nirtorch'" in capsys.readouterr().out


def test_a_network_trained_for_few_steps(clipped_run, tmp_path, capsys):
    path = tmp_path / "clipped.nir"
    command = ["export", str(clipped_run.path), "--target", "spikingjelly", *QUICK]
    assert main([*command, "--out", str(path)]) == 0
    assert main(["verify", str(path), "--run", str(clipped_run.path)]) == 0


def test_other_images_than_the_run_s(run, tmp_path, capsys):
    digits = load_digits().images[:300, None].astype(np.uint8).repeat(2, -1).repeat(2, -2) * 15
    np.savez(tmp_path / "other.npz", images=digits)
    where = ["--data.source", str(tmp_path / "other.npz")]
    path = tmp_path / "other.nir"
    assert main(["export", str(run.path), *QUICK, *where, "--out", str(path)]) == 0
    assert "linear probe" not in capsys.readouterr().out  # they have no labels
    assert main(["verify", str(path), "--run", str(run.path), *where]) == 0
    assert main(["verify", str(path), "--run", str(run.path)]) == 2
    assert "other validation images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("T", 0, "T, dt and reset"),
        ("reset", "firm", "T, dt and reset"),
        ("spike_counts", np.zeros((1, 4), np.uint16), "spike counts of 1 x 4"),
        ("deepstdp", "{}", "was not written by deepstdp export"),
    ],
)
def test_damaged_metadata_are_one_line(run, exported, tmp_path, capsys, key, value, message):
    wrong = changed(exported, tmp_path, lambda graph: graph.metadata.update({key: value}))
    assert main(["verify", str(wrong), "--run", str(run.path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_snntorch_s_leaky_neurons_lose_nothing():
    """A membrane that reaches its threshold, by half a unit, in the last of many steps."""
    n_steps, current = 32, 3 * 1301.0
    node = DIALECTS["snntorch"].neurons(n_steps * current - 0.5, (1, 1, 1))
    graph, image = one_neuron(0, node), np.full((1, 1, 1, 1), 1301.0)
    dt = DIALECTS["snntorch"].dt
    assert replay(graph, image, n_steps - 1, dt, "hard").tolist() == [[0]]
    assert replay(graph, image, n_steps, dt, "hard").tolist() == [[1]]
    assert read_and_run("snntorch", graph, image, n_steps).tolist() == [[1]]


def test_sinabs_gets_neurons_that_its_release_of_nir_knows(run, tmp_path):
    path = tmp_path / "sinabs.nir"
    options = ["--target", "sinabs", *QUICK, "--out", str(path)]
    assert main(["export", str(run.path), *options]) == 0  # the soft reset need not be asked for
    with h5py.File(path) as file:
        assert "v_reset" not in file["node/nodes/neurons_1"]
        assert "v_threshold" in file["node/nodes/neurons_1"]
    metadata = nir.read(path).metadata
    assert (metadata["reset"], metadata["multispike"]) == ("soft", 1)
    assert metadata["spike_counts"].max() > 8  # more than one a step


def test_neurons_are_written_for_their_reader(run, exported, tmp_path):
    assert isinstance(nir.read(exported).nodes["neurons_1"], nir.LIF)
    export_nir(
        run, "norse", ConversionConfig(reset="hard", timesteps=8, n_images=32), tmp_path / "n.nir"
    )
    neurons = nir.read(tmp_path / "n.nir").nodes["neurons_1"]
    assert isinstance(neurons, nir.IF)
    assert np.unique(neurons.v_threshold).tolist() == [1.0]  # real numbers: as it is
    # Real numbers are summed in another order: counts differ where a membrane is at threshold.
    n_wrong, n = re.match(
        r"([\d,]+) of ([\d,]+) ", verify_nir(tmp_path / "n.nir", run)[1].line
    ).groups()
    assert int(n_wrong.replace(",", "")) <= 1e-3 * int(n.replace(",", ""))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["export", "{run}", "--target", "norse", "--reset", "soft", "--out", "x.nir"],
            "give --res",
        ),
        (
            ["export", "{run}", "--target", "onnx", "--data.source", "x", "--out", "x.onnx"],
            "--data.source is for spiking networks",
        ),
        (["export", "{run}", "--out", "x.onnx"], "must end in .nir for --target nir"),
        (["export", "{run}", "--out", "nowhere/x.nir"], "there is no folder nowhere"),
        (["verify", "nothing.nir", "--run", "{run}"], "nothing.nir does not exist"),
        (["verify", "{run}/config.yaml", "--run", "{run}"], "is no NIR file"),
    ],
)
def test_what_is_wrong_is_one_line(run, capsys, command, message):
    assert main([part.format(run=run.path) for part in command]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("target", ["snntorch", "spikingjelly", "norse", "sinabs"])
def test_files_that_end_in_clusters(run, tmp_path, capsys, target):
    require_reader(target)
    path = tmp_path / "digits.nir"
    command = ["export", str(run.path), "--target", target, "--last_layer", "clusters", *QUICK]
    assert main([*command, "--out", str(path)]) == 0
    kept = capsys.readouterr().out.splitlines()[1]
    said = re.fullmatch(r"same cluster (\S+)% \(retest \S+%\); ties \S+%; error 0\.\d+", kept)
    counts = np.asarray(nir.read(path).metadata["spike_counts"])
    source = Source.open(run)
    clusters = clusters_of(source.model, source.val_features)
    assert counts.shape == (len(clusters), 12)  # a neuron for each cluster
    agreement = 100 * (counts.argmax(axis=1) == clusters).mean()
    assert agreement == pytest.approx(float(said[1]), abs=0.06)
    assert float(said[1]) > 30
    assert main(["verify", str(path), "--run", str(run.path)]) == 0
    front_end, ours, kept_again, theirs = capsys.readouterr().out.splitlines()
    assert kept_again == f"float pipeline: {kept}"
    assert all(": 0 of " in line for line in (front_end, ours, theirs))

    def boast(info):
        info["measured"]["curve"][0]["cluster_agreement"] = 0.999

    wrong = rewritten(path, tmp_path, boast)
    assert main(["verify", str(wrong), "--run", str(run.path)]) == 1
    assert "the file says cluster_agreement 0.999" in capsys.readouterr().out


def test_verify_finds_the_run_nearby(run, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = shutil.copy(exported, tmp_path)
    assert main(["verify", str(file)]) == 2
    assert f"is not in {tmp_path} or runs: name it with --run RUN" in capsys.readouterr().err
    other, origin = tmp_path / "runs" / "a", tmp_path / "runs" / "stdp" / "seed-0"
    shutil.copytree(run.path, other)
    (other / "clustering.safetensors").write_bytes(b"another run's")
    shutil.copytree(run.path, tmp_path / "runs" / "b")
    (tmp_path / "runs" / "b" / "config.yaml").unlink()  # no run at all
    shutil.copytree(run.path, tmp_path / "runs" / "c")
    (tmp_path / "runs" / "c" / "clustering.safetensors").unlink()
    os.truncate(shutil.copytree(run.path, tmp_path / "runs" / "d") / "weights.safetensors", 2**42)
    shutil.copytree(run.path, origin)
    assert main(["verify", str(file)]) == 0
    assert f"run: {origin}" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "runs")
    shutil.copytree(run.path, tmp_path / "beside")
    assert main(["verify", str(file)]) == 0
    assert f"run: {tmp_path / 'beside'}" in capsys.readouterr().out


def test_another_last_layer_is_refused(run, exported, tmp_path):
    wrong = rewritten(exported, tmp_path, lambda info: info.update(last_layer="nonsense"))
    with pytest.raises(UserError, match="was not written by deepstdp export"):
        verify_nir(wrong, run)
    old = rewritten(exported, tmp_path, lambda info: info.pop("last_layer"))
    with pytest.raises(UserError, match="or by another version: export it again"):
        verify_nir(old, run)
    other = rewritten(exported, tmp_path, lambda info: info.update(last_layer="clusters"))
    with pytest.raises(UserError, match=r"has spike counts of 359 x \d+, not 359 x 12"):
        verify_nir(other, run)


def test_files_and_runs_that_do_not_belong_together(run, exported, tmp_path):
    nir.write(tmp_path / "other.nir", one_neuron(1))
    with pytest.raises(UserError, match="was not written by deepstdp export"):
        verify_nir(tmp_path / "other.nir", run)
    config = Config(
        data=DataConfig(image_size=16),
        clustering=ClusteringConfig(n_clusters=12),
        training=TrainingConfig(epochs=1),
        accelerator="cpu",
        seed=1,
    )
    other = run_experiment(config, tmp_path / "other")
    with pytest.raises(UserError, match="was exported from another run than"):
        verify_nir(exported, other)
