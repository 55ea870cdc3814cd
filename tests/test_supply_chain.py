"""What an installation brings along, and that nothing calls home."""

import subprocess
import sys

import pytest

from benchmarks.licences import is_permissive, licence, required

EXTRAS = ("cuda", "study", "nir", "onnx", "tensorboard", "completion")


@pytest.mark.parametrize("name", required("deepstdp", EXTRAS))
def test_every_dependency_is_permissive(name):
    stated = licence(required("deepstdp", EXTRAS)[name])
    assert is_permissive(stated), stated


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND AGPL-3.0", False),
        ("GPL-2.0 OR MIT", True),
        ("none stated", False),
    ],
)
def test_what_is_permissive(stated, expected):
    assert is_permissive(stated) is expected


_OFFLINE = """
import socket, sys, urllib.request
def refuse(self, address): raise AssertionError(f"it calls {address}")
socket.socket.connect = socket.socket.connect_ex = refuse
from deepstdp.cli import main
code = main(sys.argv[1:])
try:
    urllib.request.urlopen("http://127.0.0.1:9/")
except AssertionError:
    sys.exit(code)
sys.exit("nothing is refused: the check is void")
"""


def test_a_run_needs_no_network(tmp_path):
    arguments = ["train", "--data.classes", "first-2", "--training.epochs", "1"]
    arguments += ["--accelerator", "cpu", "--run_dir", str(tmp_path / "run")]
    command = [sys.executable, "-c", _OFFLINE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
