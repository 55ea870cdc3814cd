"""The architecture, as rules: data flow one way, and no room grows too large."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import deepstdp

ROOT = Path(deepstdp.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# A module imports only from rows above its own, or from its own package.
LAYERS = [
    {"errors", "progress", "tables"},
    {
        "keyed_random",
        "imports",
        "interruption",
        "config",
        "files",
        "processes",
        "run_lock",
        "launched",
    },
    {"runtime"},
    {"config_files", "data"},
    {"backbones", "run_dir"},
    {"features"},
    {"spiking"},
    {"clustering"},
    {"evaluation", "environment"},
    {"training", "epoch_line"},
    {"model"},
    {"pipeline"},
    {"checkpoint", "inference", "cluster_features", "few_labels", "examples", "loggers"},
    {"runner", "deployment"},
    {"comparison"},
    {"study"},
    {"report"},
    {"api"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def room(path: Path) -> str:
    """The top-level module or package a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            parts = node.module.split(".")
            if parts[0] == "deepstdp":
                names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
                rooms.update(names)
    return rooms


def test_every_room_has_a_place_in_the_flow():
    assert {room(path) for path in FILES} == set(RANK)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path):
    own = room(path)
    for other in imported_rooms(path) - {own}:
        assert RANK[other] < RANK[own], f"{own} must not import {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            length = node.end_lineno - node.lineno - len(docstring.splitlines())
            assert length <= 60, f"{node.name} has {length} lines"


def test_training_never_sees_labels():
    for path in FILES:
        if room(path) in {"training", "features", "backbones", "spiking", "clustering"}:
            source = path.read_text()
            assert ".train.labels" not in source
            assert ".val.labels" not in source
            assert "Truth" not in source


def test_the_command_line_starts_without_extras():
    """What is installed on request only must not be imported before it is asked for."""
    extras = ("nir", "h5py", "onnx", "onnxscript", "onnxruntime", "optuna", "ray", "triton")
    extras += ("tensorboard", "shtab", "mlflow", "wandb", "pytorch_lightning")
    blocked = f"import sys; sys.modules.update(dict.fromkeys({extras}))"
    every = "from deepstdp.cli.commands import COMMANDS; [c.parser() for c in COMMANDS.values()]"
    subprocess.run([sys.executable, "-c", f"{blocked}; import deepstdp; {every}"], check=True)
