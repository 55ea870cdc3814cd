"""What a person sees before a command has run: help, version, doctor, completion, colours."""

import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest

from deepstdp.cli import main
from deepstdp.cli.commands import COMMANDS
from deepstdp.cli.help import OFTEN

ONE_SCREEN = 36


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def rejoined(shown: list[str]) -> list[str]:
    """Options whose explanation takes several lines, each as one."""
    whole: list[str] = []
    for line in shown:
        if line.startswith(" " * 20) and whole:
            whole[-1] += line
        else:
            whole.append(line)
    return whole


def test_what_needs_no_command_is_not_waited_for():
    code = (
        "import sys\nfrom deepstdp.cli import main\nmain(['--version']), main(['--help'])\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_one_screen_with_an_example(name, capsys):
    for ask in ("--help", "-h"):
        assert main([name, ask]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) // 2 <= ONE_SCREEN
    assert max(map(len, shown)) <= 80
    assert all(line.count("(") == line.count(")") for line in rejoined(shown))
    example = shown[shown.index("example:") + 1]
    assert example.startswith(f"  deepstdp {name}")
    options = [word for word in example.split() if word.startswith("--")]
    assert set(options) <= set(COMMANDS[name].parser()._option_string_actions)


def test_help_for_a_section(capsys):
    assert main(["train", "--help"]) == 0
    short = capsys.readouterr().out
    assert all(option in short for option in OFTEN)
    assert "--data.workers" not in short
    assert "data (9)" in short
    assert main(["train", "--help", "data"]) == 0
    section = capsys.readouterr().out
    assert "--data.workers" in section
    assert "--training.epochs" not in section
    assert main(["train", "--help", "all"]) == 0
    every = capsys.readouterr().out
    settings = COMMANDS["train"].parser()._option_string_actions
    assert all(name in every for name in settings if "." in name and not name.endswith("+"))


def test_choices_and_defaults_are_told(capsys):
    assert main(["train", "--help", "all"]) == 0
    every = " ".join(capsys.readouterr().out.split())
    assert (
        "--training.small_views further views, crops of augmentation.small_crop_scale. (default 0)"
        in every
    )
    assert main(["train", "--help"]) == 0
    short = " ".join(capsys.readouterr().out.split())
    assert "(tensorboard, mlflow, wandb)" in short
    assert "of every random number (default 0)" in short
    assert main(["export", "--help"]) == 0
    export = " ".join(capsys.readouterr().out.split())
    assert "nir, spikingjelly, norse, snntorch, sinabs, onnx" in export
    assert "(required)" in export  # --out
    # A name as wide as its column has a line of its own.
    assert main(["train", "--help", "training"]) == 0
    assert "--training.learning_rate\n" in capsys.readouterr().out


def test_settings_that_a_command_sets_itself_are_not_offered(tmp_path, capsys):
    for command in ("compare", "study"):
        assert main([command, "--help", "all"]) == 0
        assert "--clustering.method " not in capsys.readouterr().out
    options = ["--clustering.method", "stdp", "--out", str(tmp_path / "out")]
    assert main(["study", "studies/digits.yaml", *options]) == 2
    assert "leave it out" in capsys.readouterr().err


def test_a_section_that_is_none_is_one_line(capsys):
    assert main(["train", "--help", "dta"]) == 2
    said = capsys.readouterr().err
    assert "no such section, there are data, augmentation" in said
    assert len(said.splitlines()) == 1


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"deepstdp {version('deepstdp')}\n"


def test_doctor(capsys, monkeypatch):
    packages = {"numpy": ("arrays", "-"), "nonesuch": ("x", "pip nonesuch")}
    monkeypatch.setattr(sys.modules["deepstdp.cli.doctor"], "EXTRAS", packages)
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert f"numpy          {version('numpy')}, for arrays" in shown
    assert "nonesuch       no: x needs it (pip nonesuch)" in shown
    assert "reference      yes" in shown
    assert shown.count("the fastest here") == 1


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(tmp_path, capsys):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "photos").mkdir()
    asked = (
        "source completion; complete() { :; }; "
        'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_deepstdp; '
        'echo "${COMPREPLY[@]}"; }; ask deepstdp tr; ask deepstdp train --clustering.n_; '
        "ask deepstdp convert pho"
    )
    done = subprocess.run(
        ["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["train", "--clustering.n_clusters", "photos"]


def test_completion_knows_its_shells(capsys):
    assert main(["completion", "fish"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_reader_that_has_seen_enough():
    command = f"{sys.executable} -m deepstdp train --help all | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""
