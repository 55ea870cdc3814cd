"""A file of a stranger's never runs code, unless the user says so."""

import json
import sys
from dataclasses import replace

import pytest
import yaml

from deepstdp.cli import main
from deepstdp.config_files import dump_config, load_config
from deepstdp.errors import UserError
from deepstdp.model import load, load_model
from deepstdp.run_dir import RunDir
from deepstdp.runner import run_experiment
from deepstdp.study.reading import read_study
from tests.small_runs import small

CODE = """
import pathlib
pathlib.Path(__file__).with_suffix(".ran").touch()
from sklearn.cluster import KMeans as Evil
"""
SETTINGS = {
    "backbone": {"class_path": "evil.Evil"},
    "clustering": {"class_path": "evil.Evil", "init_args": {"n_clusters": 20}},
}


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """What is there once the code has run."""
    (tmp_path / "evil.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield tmp_path / "evil.ran"
    sys.modules.pop("evil", None)


@pytest.mark.parametrize("part", SETTINGS)
@pytest.mark.parametrize("command", ["train --run_dir run", "compare --out out"])
def test_a_config_file(ran, tmp_path, part, command, capsys):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({part: SETTINGS[part]}))
    arguments = [*command.split(), "--config", "a.yaml"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert f"a.yaml has {part}.class_path evil.Evil" in error
    assert "--trust_code" in error
    assert not ran.exists()
    with pytest.raises(UserError, match="code that would be run"):
        load_config(tmp_path / "a.yaml")
    assert load_config(tmp_path / "a.yaml", trust_code=True) is not None
    assert not ran.exists()


@pytest.mark.parametrize("part", SETTINGS)
def test_a_trusted_config_file(ran, tmp_path, part):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({part: SETTINGS[part]}))
    few = ["--training.epochs", "0", "--data.classes", "first-2", "--run_dir", "run"]
    main(["train", "--config", "a.yaml", "--trust_code", *few])  # as a backbone it is no network
    assert ran.exists()


@pytest.mark.parametrize(
    "option", ["overwrite: true", "run_dir: photos", "resume: true", "logger: wandb"]
)
def test_a_file_replaces_no_runs_and_reaches_no_network(tmp_path, option, capsys):
    (tmp_path / "a.yaml").write_text(option + "\n")
    assert main(["train", "--config", str(tmp_path / "a.yaml")]) == 2
    assert f"unknown key {option.split(':')[0]}" in capsys.readouterr().err


def test_a_file_cannot_vouch_for_itself(ran, tmp_path):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({**SETTINGS, "trust_code": True}))
    with pytest.raises(UserError, match="unknown key trust_code"):
        load_config(tmp_path / "a.yaml")
    assert main(["train", "--config", "a.yaml"]) == 2
    assert not ran.exists()


@pytest.mark.parametrize("part", SETTINGS)
@pytest.mark.parametrize(
    "command",
    [
        "evaluate run",
        "predict run a.npy",
        "convert run",
        "export run --out a.nir",
        "export run --target onnx --out a.onnx",
        "verify a.nir --run run",
        "verify a.onnx --run run",
    ],
)
def test_a_run_directory(ran, tmp_path, part, command, few_digits, three_blocks, capsys):
    run = run_experiment(small(epochs=1), tmp_path / "run", dataset=few_digits)
    section = replace(getattr(run.config(), part), class_path="evil.Evil")
    stranger = dump_config(replace(run.config(), **{part: section}))
    (run.path / "config.yaml").write_text(stranger)
    for name in ("a.nir", "a.onnx", "a.npy"):
        (tmp_path / name).touch()
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert not ran.exists(), error
    assert error.count("\n") == 1
    if not command.startswith("verify"):
        assert f"run has {part}.class_path evil.Evil" in error


def test_a_run_directory_from_python(ran, tmp_path, few_digits, three_blocks):
    config = small(epochs=1)
    config = replace(config, clustering=replace(config.clustering, **SETTINGS["clustering"]))
    made = run_experiment(config, tmp_path / "run", dataset=few_digits)
    assert load_model(made) is not None
    ran.unlink()
    sys.modules.pop("evil")
    for attempt in (lambda: load(made.path), lambda: load_model(RunDir.open(made.path))):
        with pytest.raises(UserError, match="code that would be run"):
            attempt()
    assert not ran.exists()
    load(made.path, trust_code=True)
    assert ran.exists()


def study(tmp_path, **parts):
    path = tmp_path / "study.yaml"
    plain = {"base": "base.yaml", "seeds": [0], "baseline": "a", "variants": {"a": {}}}
    path.write_text(yaml.safe_dump(plain | parts))
    return path


@pytest.mark.parametrize(
    ("base", "parts"),
    [
        ({"clustering": {"class_path": "evil.Evil"}}, {}),
        ({}, {"settings": {"clustering.class_path": "evil.Evil"}}),
        ({}, {"variants": {"a": {"backbone.class_path": "evil.Evil"}}}),
        ({}, {"tuned": "tuned.json"}),
        (
            {},
            {
                "tuning": {
                    "n_trials": 1,
                    "seed": 9,
                    "variants": {"a": {"clustering.class_path": ["evil.Evil"]}},
                }
            },
        ),
    ],
)
def test_a_study(ran, tmp_path, base, parts):
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    tuned = {"tuning": {"a": {"settings": {"clustering.class_path": "evil.Evil"}}}}
    (tmp_path / "tuned.json").write_text(json.dumps(tuned))
    path = study(tmp_path, **parts)
    with pytest.raises(UserError, match=r"study.yaml has \w+.class_path"):
        read_study(path)
    assert read_study(path, trust_code=True) is not None
    assert not ran.exists()


def test_what_the_command_line_names_is_trusted(ran, tmp_path):
    (tmp_path / "base.yaml").write_text("{}")
    read_study(study(tmp_path), {"clustering.class_path": "evil.Evil"})
    with pytest.raises(UserError, match="backbone.class_path"):
        read_study(
            study(tmp_path, settings={"backbone.class_path": "evil.Evil"}),
            {"clustering.class_path": "evil.Evil"},
        )
