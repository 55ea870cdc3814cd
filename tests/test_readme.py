"""Every command and every line of Python in the README runs, on data and for epochs cut short."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from deepstdp.cli import main
from tests.helpers import image_bytes

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith(("deepstdp ", "python -c "))
]
SHORT = {
    "train": ["--training.epochs", "1"],
    "compare": ["--training.epochs", "1", "--seeds", "1"],
}
SMALL_DATA = ["--data.classes", "first-4", "--clustering.n_clusters", "6"]


@pytest.fixture
def workplace(tmp_path, tiny_zip, class_folder, monkeypatch):
    """A folder with what the commands name."""
    for folder in ("configs", "studies", "benchmarks/results"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    tiny_zip.rename(tmp_path / "tiny-imagenet-200.zip")
    class_folder.rename(tmp_path / "photos")
    (tmp_path / "new-photos").mkdir()
    (tmp_path / "new-photos" / "1.png").write_bytes(image_bytes(77))
    monkeypatch.chdir(tmp_path)


def test_every_command_runs(workplace, capsys):
    assert {command.split()[1] for command in COMMANDS if command.startswith("deepstdp")} == {
        "train",
        "compare",
        "study",
        "report",
        "watch",
        "doctor",
        "evaluate",
        "predict",
        "cluster",
        "convert",
        "export",
        "verify",
    }
    for command in COMMANDS:
        arguments = shlex.split(command)[1:]
        if command.startswith("python"):
            exec(arguments[1], {})
            continue
        extra = SHORT.get(arguments[0], [])
        if "tiny-imagenet-200.zip" in command:
            extra = [*extra, *SMALL_DATA]
        assert main([*arguments, *extra]) == 0, capsys.readouterr().err


def test_the_python_runs(workplace, capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert "torch.Size([2, 256])" in capsys.readouterr().out


def test_make_targets_exist_and_the_demo_is_a_command_that_parses(workplace):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    demo = re.search(r"^demo:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    words = shlex.split(demo.replace("\\\n", " "))
    assert words[0] == "$(BIN)/deepstdp"
    assert main([*words[1:], *SHORT["compare"]]) == 0


def test_the_tree_names_every_room():
    tree = re.search(r"```text\n(deepstdp/\n.*?)```", README, re.DOTALL)[1]
    rooms = {path.name for path in (ROOT / "deepstdp").iterdir() if not path.name.startswith("_")}
    named = {word.rstrip("/") for word in re.findall(r"^  (\S+)", tree, re.MULTILINE)}
    assert named == rooms
