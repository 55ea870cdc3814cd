"""The real command line, mostly in this process."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from deepstdp import STDPClustering
from deepstdp.cli import main
from deepstdp.cli.commands import COMMANDS
from tests.helpers import image_bytes

FAST = [
    "--data.image_size=16",
    "--reduction.n_components=8",
    "--clustering.n_clusters=4",
    "--training.epochs=2",
    "--training.batch_size=8",
    "--clustering.stdp.n_timesteps=10",
]


@pytest.fixture
def run_dir(class_folder, tmp_path, capsys):
    path = tmp_path / "run"
    assert main(["train", "--data.source", str(class_folder), "--run_dir", str(path), *FAST]) == 0
    return path


def test_train_says_what_it_did(run_dir, capsys):
    out = capsys.readouterr().out
    assert "epoch 1/2" in out
    assert "linear probe" in out
    assert "features" in out
    assert "reduction" in out
    assert f"run: {run_dir}" in out
    assert f"report: {run_dir / 'report.html'}" in out
    for name in ("config.yaml", "metrics.jsonl", "summary.json", "labels.csv", "report.html"):
        assert (run_dir / name).exists()
    for name in ("curves.png", "clusters.png"):
        assert (run_dir / "figures" / name).read_bytes().startswith(b"\x89PNG")
    assert "\x1b" not in out, "no colours or bars where nobody watches"


def test_evaluate_prints_what_the_run_measured(run_dir, capsys):
    capsys.readouterr()
    assert main(["evaluate", str(run_dir)]) == 0
    out = capsys.readouterr().out
    printed = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    summary = json.loads((run_dir / "summary.json").read_text())
    for name in ("linear_probe_accuracy", "knn_accuracy"):
        both = [summary[part][name] for part in ("final", "untrained")]
        assert [float(cell) for cell in printed[name]] == pytest.approx(both, abs=1e-3)
    assert printed["nmi_labels"][1] == "-"
    assert f"accuracies are of {summary['n_val']} images" in out
    assert f"other {summary['n_train']}" in " ".join(out.split())
    assert re.search(r"knn_accuracy: \w.* the untrained network, [+-]\d+\.\d points \[", out)


def test_a_folder_of_runs_is_no_run(run_dir, tmp_path, capsys):
    place = tmp_path / "out" / "stdp" / "seed-0"
    place.parent.mkdir(parents=True)
    run_dir.rename(place)
    assert main(["evaluate", str(tmp_path / "out")]) == 2
    assert f"give one of them, such as {place}" in capsys.readouterr().err


def test_evaluate_without_labels_says_so(run_dir, tmp_path, capsys):
    (tmp_path / "new").mkdir()
    for i in range(20):
        (tmp_path / "new" / f"{i}.png").write_bytes(image_bytes(12 * i))
    capsys.readouterr()
    assert main(["evaluate", str(run_dir), "--data.source", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "have no labels, so that nothing says" in " ".join(out.split())
    assert "n_empty_clusters" in out
    assert "accura" not in out


def test_evaluate_on_other_images(run_dir, tiny_zip, capsys):
    capsys.readouterr()
    arguments = ["evaluate", str(run_dir), "--data.source", str(tiny_zip)]
    assert main([*arguments, "--data.classes", "first-2"]) == 0
    assert "knn_accuracy" in capsys.readouterr().out
    assert main(["evaluate", str(run_dir), "--data.source", "digits"]) == 2
    assert "shape (3, 16, 16), those of digits are (1, 16, 16)" in capsys.readouterr().err


def test_predict_files_folders_and_arrays(run_dir, class_folder, tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.zeros((3, 16, 16, 3), np.uint8))
    capsys.readouterr()
    file = class_folder / "ant" / "0.png"
    arguments = ["predict", str(run_dir), str(file), str(class_folder), str(tmp_path / "a.npy")]
    assert main(arguments) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 34
    assert rows[0]["image"] == str(file)
    # The same image under another name has the same cluster.
    again = next(row for row in rows[1:] if row["image"].endswith("ant/0.png"))
    assert rows[0]["cluster"] == again["cluster"]
    assert {rows[i]["cluster"] for i in (31, 32, 33)} == {rows[31]["cluster"]}
    assert main([*arguments, "--out", str(tmp_path / "out.csv")]) == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 35


def test_a_name_commands_no_terminal(run_dir, class_folder, tmp_path, capsys, monkeypatch):
    image = next(class_folder.rglob("*.png"))
    path = tmp_path / "a\x1b[31m.png"
    path.write_bytes(image.read_bytes())
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["predict", str(run_dir), str(path)]) == 0
    assert "a\\x1b[31m.png," in capsys.readouterr().out


def test_predict_and_broken_images(run_dir, tmp_path, capsys):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "good.png").write_bytes(image_bytes(1))
    (tmp_path / "new" / "bad.png").write_bytes(b"bad")
    arguments = ["predict", str(run_dir), str(tmp_path / "new")]
    assert main(arguments) == 2
    assert "bad.png" in capsys.readouterr().err
    assert main([*arguments, "--data.on_error", "skip"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert "skipped" in captured.err


def test_resume_and_overwrite(run_dir, class_folder, capsys):
    again = ["train", "--data.source", str(class_folder), "--run_dir", str(run_dir), *FAST]
    assert main(again) == 2
    assert "--resume or --overwrite" in capsys.readouterr().err
    assert main([*again, "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert main([*again, "--overwrite"]) == 0
    assert main(["train", "--resume"]) == 2


def test_on_error_skip_goes_on_and_counts(class_folder, tmp_path, capsys):
    (class_folder / "bee" / "9.png").write_bytes(b"no")
    arguments = ["train", "--data.source", str(class_folder), *FAST]
    assert main([*arguments, "--run_dir", str(tmp_path / "a")]) == 2
    assert "bee/9.png" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    skip = ["--data.on_error", "skip", "--run_dir", str(tmp_path / "b")]
    assert main([*arguments, *skip]) == 0
    assert "left out 1 file" in capsys.readouterr().out
    assert json.loads((tmp_path / "b" / "summary.json").read_text())["skipped"] == ["bee/9.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "unknown command 'fly'"),
        (["train", "--data.source", "nowhere"], "nowhere does not exist"),
        (["train", "--trainig.epochs", "3"], "did you mean --training.epochs?"),
        (["train", "--training.epochs", "many"], "training.epochs"),
        (["train", "--training.epochs"], "training.epochs"),
        (["train", "--config", "none.yaml"], "cannot be read"),
        (["train", "--clustering.n_clusters", "5000"], "only 1438 training images"),
        (["train", "--data.classes", "3"], "only 1 class selected"),
        (["train", "--data.image_size", "8"], "at least 16"),
        (["train", "stray"], "stray"),
        (["compare", "--methods", "stdp,voodoo", "--out", "x"], "no method 'voodoo'"),
        (["compare", "--methods", "stdp,stdp", "--out", "x"], "each method once"),
        (["compare", "--seeds", "0", "--out", "x"], "--seeds must be at least 1"),
        (["compare"], "out"),
        (["evaluate", "nowhere"], "not a run directory"),
        (["predict", "nowhere", "x.png"], "not a run directory"),
        (["predict", "nowhere", "x.png", "--out", "no/x.csv"], "there is no folder no"),
        (["cluster", "nowhere.npy"], "nowhere.npy does not exist"),
        (["cluster", "nowhere.npy", "--out", "no/x.csv"], "there is no folder no"),
        (["cluster", "nowhere.npy", "--compare", "magic"], "compare"),
        (["cluster", "nowhere.npy", "--seed", "-1"], "--seed must lie between"),
        (["train", "--resume", "--run_dir", "nowhere"], "not a run directory"),
        (["train", "--training.learning_rate", ".inf"], "must be finite"),
        (["train", "--clustering.method", "custom"], "needs clustering.class_path"),
        (["predict", "nowhere"], "missing IMAGES"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("deepstdp: error: ")
    assert len(captured.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_overview(capsys):
    assert main([]) == 2
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


def test_the_installed_command_and_the_module():
    script = str(Path(sys.executable).with_name("deepstdp"))
    for start in ([script], [sys.executable, "-m", "deepstdp"]):
        result = subprocess.run(
            [*start, "train", "--data.source", "nowhere"], capture_output=True, text=True
        )
        assert result.returncode == 2
        assert result.stderr == "deepstdp: error: data.source: nowhere does not exist\n"


def test_compare(class_folder, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["compare", "--data.source", str(class_folder), "--out", str(out), *FAST]
    arguments += ["--methods", "stdp,kmeans", "--seeds", "2"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    comparison = json.loads((out / "comparison.json").read_text())
    assert list(comparison["methods"]) == ["stdp", "kmeans", "untrained", "raw-pixels"]
    for name, method in comparison["methods"].items():
        assert len(method["runs"]) == 2
        assert all((out / run).exists() for run in method["runs"])
        assert set(method["linear_probe_accuracy"]) == {"mean", "ci95"}
        assert f"| {name} " in printed
    versus = comparison["versus_baseline"]["stdp"]
    assert set(versus["linear_probe_accuracy"]) == {"ratio", "percent", "points"}
    assert "epochs_speedup" in versus
    assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "comparison.md").read_text() in printed
    assert f"report: {out / 'report.html'}" in printed
    assert "kmeans" in (out / "report.html").read_text()
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0  # of all its runs
    assert capsys.readouterr().out == f"report: {out / 'report.html'}\n"
    assert "kmeans" in (out / "report.html").read_text()
    assert main(["report", str(tmp_path)]) == 2
    assert "no run directory and no folder of compare" in capsys.readouterr().err
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("weights.safetensors")}
    assert main(arguments) == 0
    assert "finished already" in capsys.readouterr().out
    assert stamps == {path: path.stat().st_mtime_ns for path in out.rglob("weights.safetensors")}
    assert [each["n_trials"] for each in comparison["environments"]] == [6]
    elsewhere = out / "kmeans" / "seed-0" / "summary.json"
    summary = json.loads(elsewhere.read_text())
    summary["versions"]["torch"] = "of another machine"
    elsewhere.write_text(json.dumps(summary))
    assert main(arguments) == 0
    environments = json.loads((out / "comparison.json").read_text())["environments"]
    assert [each["n_trials"] for each in environments] == [5, 1]
    assert environments[1]["versions"]["torch"] == "of another machine"
    assert main([*arguments, "--training.learning_rate", "0.1"]) == 2
    assert "another config" in capsys.readouterr().err


def test_a_full_disk_is_one_line(class_folder, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device", "labels.csv")

    monkeypatch.setattr("deepstdp.run_dir.RunDir.write_labels", full)
    arguments = ["train", "--data.source", str(class_folder), "--run_dir", str(tmp_path / "a")]
    assert main([*arguments, *FAST]) == 2
    assert capsys.readouterr().err == "deepstdp: error: labels.csv: No space left on device\n"


def test_cluster_a_feature_file(tmp_path, capsys):
    x, y = make_blobs(200, 5, centers=3, random_state=0)
    np.savez(tmp_path / "x.npz", features=x, labels=y)
    arguments = ["cluster", str(tmp_path / "x.npz"), "--n_clusters", "3", "--compare", "kmeans"]
    out, model = tmp_path / "c.csv", tmp_path / "m.safetensors"
    assert main([*arguments, "--out", str(out), "--model", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["stdp", "kmeans"]
    printed = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert float(printed["nmi_labels"][0]) > 0.95
    assert float(printed["retest_agreement"][0]) > 0.9
    clusters = np.array(
        [int(row["cluster"]) for row in csv.DictReader(out.read_text().splitlines())]
    )
    assert np.array_equal(STDPClustering.load(model).predict(x), clusters)


def test_cluster_warns_and_takes_settings(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 5)))
    arguments = ["cluster", str(tmp_path / "x.npy"), "--stdp.v_threshold", "1e5"]
    assert main(arguments) == 0
    assert "no neuron fire: lower v_threshold" in capsys.readouterr().err
    assert main([*arguments, "--stdp.eta", "3"]) == 2
    assert "eta must lie in (0, 1]" in capsys.readouterr().err
