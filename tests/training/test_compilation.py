import json
import shutil
import subprocess
import sys

import pytest
import torch

from deepstdp.progress import Progress
from deepstdp.training.compilation import compiled


class Lines(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def double(x: torch.Tensor) -> torch.Tensor:
    return x * 2


def broken_backend(graph: object, inputs: object) -> None:
    raise RuntimeError("no such chip\nand much more")


def test_what_cannot_be_compiled_runs_and_says_so_once():
    progress = Lines()
    function = compiled(double, "the network", progress, backend=broken_backend)
    for _ in range(2):
        assert function(torch.ones(2)).tolist() == [2, 2]
    (line,) = progress.lines
    assert "the network could not be compiled" in line
    assert "running it uncompiled" in line


def test_what_can_be_compiled_says_nothing():
    progress, graphs = Lines(), []

    def counting_backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    function = compiled(double, "the network", progress, backend=counting_backend)
    for _ in range(2):
        assert function(torch.ones(2)).tolist() == [2, 2]
    assert progress.lines == []
    assert len(graphs) == 1


def test_an_error_of_the_work_itself_is_no_failed_compilation():
    progress = Lines()
    function = compiled(lambda x, y: x @ y, "the network", progress, backend="eager")
    with pytest.raises(RuntimeError):
        function(torch.ones(2, 3), torch.ones(2, 3))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_run_is_the_run(tmp_path):
    losses = []
    for flag in ("false", "true"):
        run = tmp_path / flag
        command = [sys.executable, "-m", "deepstdp", "train", "--data.classes", "first-3"]
        command += ["--training.epochs", "2", "--clustering.n_clusters", "10"]
        command += ["--compile", flag, "--accelerator", "cpu", "--run_dir", str(run)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
        assert "could not be compiled" not in result.stdout
        lines = (run / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
