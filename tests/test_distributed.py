"""The real command in two processes that talk over gloo, against the same run in one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.faults.runs import children_of
from tests.helpers import image_bytes

TRAIN = [
    *("train", "--data.classes", "first-3", "--training.epochs", "2", "--accelerator", "cpu"),
    # Shares of a batch differ in size, and so do the processes' rows.
    *("--training.batch_size", "51", "--clustering.n_clusters", "15"),
]
SELF_LAUNCHED = [sys.executable, "-m", "deepstdp"]
TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
    *("-m", "deepstdp"),
]


def train(run: Path, command: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *TRAIN, "--run_dir", str(run), *options],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("alone") / "run"
    assert train(run, SELF_LAUNCHED, "--precision", "64-true").returncode == 0
    return run


@pytest.mark.parametrize("command", [SELF_LAUNCHED, TORCHRUN], ids=["own", "torchrun"])
def test_two_processes_are_one_run(alone, tmp_path, command):
    result = train(tmp_path / "run", command, "--devices", "2", "--precision", "64-true")
    assert result.returncode == 0, result.stderr
    # In double precision sums differ in the last bit alone, and no label hangs on that.
    assert (tmp_path / "run/labels.csv").read_text() == (alone / "labels.csv").read_text()
    assert losses(tmp_path / "run") == pytest.approx(losses(alone), rel=1e-6)
    summary, expected = (
        json.loads((run / "summary.json").read_text()) for run in (tmp_path / "run", alone)
    )
    assert summary["hardware"]["n_processes"] == 2
    assert summary["final"] == pytest.approx(expected["final"], rel=1e-6)
    assert result.stdout.count("epoch 1/2") == 1
    assert "Warning" not in result.stderr


@pytest.mark.slow
def test_torchrun_starts_a_killed_process_again_and_the_run_goes_on(alone, tmp_path):
    run, log = tmp_path / "run", tmp_path / "log"
    options = ("--devices", "2", "--precision", "64-true", "--training.checkpoint_minutes", "0")
    command = [*TORCHRUN[:3], "--max-restarts", "3", *TORCHRUN[3:], *TRAIN, *options]
    with log.open("w") as output:
        agent = subprocess.Popen([*command, "--run_dir", str(run)], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 120
        while not list(run.glob("checkpoints/*.safetensors")):
            assert agent.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(children_of(agent.pid)[-1], signal.SIGKILL)
        assert agent.wait(240) == 0, log.read_text()
    finally:
        agent.kill()
    said = log.read_text()
    assert said.count("going on ") == 1, said
    assert (run / "labels.csv").read_text() == (alone / "labels.csv").read_text()
    assert losses(run) == pytest.approx(losses(alone), rel=1e-6)


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_with_queues_of_their_own(tmp_path):
    options = (
        *("--devices", "2", "--training.checkpoint_minutes", "0", "--training.targets", "batch"),
        *("--clustering.method", "sinkhorn", "--clustering.sinkhorn.queue", "2000"),
    )
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert train(whole, SELF_LAUNCHED, *options).returncode == 0
    first = subprocess.Popen([*SELF_LAUNCHED, *TRAIN, *options, "--run_dir", str(run)])
    deadline = time.monotonic() + 120
    while not list(run.glob("checkpoints/*.safetensors")):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.kill()  # the second ends with it
    first.wait()
    again = train(run, SELF_LAUNCHED, *options, "--resume")
    assert again.returncode == 0, again.stderr
    assert "going on in epoch 1, after step 8" in again.stdout
    for name in ("weights.safetensors", "clustering.safetensors", "labels.csv"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_single_precision_agrees_to_what_training_makes_of_rounding(tmp_path):
    for devices in ("1", "2"):
        assert train(tmp_path / devices, SELF_LAUNCHED, "--devices", devices).returncode == 0
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "1"), rel=1e-2)
    labels = [(tmp_path / name / "labels.csv").read_text().splitlines() for name in "12"]
    same = sum(a == b for a, b in zip(*labels, strict=True))
    # Images between two clusters go either way, as they do under other spikes.
    summary = json.loads((tmp_path / "1/summary.json").read_text())
    assert same / len(labels[0]) > summary["final"]["retest_agreement"] - 0.1


def test_what_one_process_meets_is_said(tmp_path):
    """A damaged file that is streamed to the second process alone."""
    for i in range(40):
        content = image_bytes(i) if i != 35 else b"no image"
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / f"{i:02d}.png").write_bytes(content)
    options = ("--devices", "2", "--data.source", str(tmp_path / "photos"), "--data.classes", "all")
    streamed = ("--data.loading", "stream", "--data.workers", "0")
    result = train(tmp_path / "run", SELF_LAUNCHED, *options, *streamed)
    assert result.returncode != 0
    assert "cannot decode 35.png" in result.stderr


def test_an_error_of_all_is_said_once(tmp_path):
    options = ("--devices", "2", "--data.source", str(tmp_path / "nowhere"))
    result = train(tmp_path / "run", SELF_LAUNCHED, *options)
    assert result.returncode == 2
    assert result.stderr.count("deepstdp: error") == 1
    assert "does not exist" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()
