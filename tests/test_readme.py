"""Every command and every line of Python in the README runs."""

import re
import shlex

from deepstdp.cli import main
from tests.documents import ROOT, SHORT, blocks, commands, run_command, run_python

README = (ROOT / "README.md").read_text()
COMMANDS = commands(README)


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
        assert run_command(command) == 0, capsys.readouterr().err


def test_the_python_runs(workplace, capsys):
    shown = [block for kind, block in blocks(README) if kind == "python"]
    assert shown
    for block in shown:
        run_python(block, "README.md")
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
    rooms = {path.name for path in (ROOT / "deepstdp").iterdir() if path.name[0] != "_"}
    named = {word.rstrip("/") for word in re.findall(r"^  (\S+)", tree, re.MULTILINE)}
    assert named == rooms - {"py.typed"}
