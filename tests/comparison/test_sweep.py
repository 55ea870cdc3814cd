"""Trials in this process, in others and on a cluster: the same results, whatever dies."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from deepstdp.cli import main
from deepstdp.comparison import executors
from deepstdp.comparison.executors import Processes
from deepstdp.comparison.processes import kill_with_children
from deepstdp.comparison.ray_executor import cores_for_each
from deepstdp.processes import usable_cpus
from deepstdp.run_lock import LOCK, alone_in

TIMES = ("seconds", "wall_seconds", "hardware")


@pytest.fixture
def mishaps(tmp_path) -> Path:
    """Files in here make ``Deadly`` misbehave."""
    folder = tmp_path / "mishaps"
    folder.mkdir()
    return folder


@pytest.fixture
def compare(class_folder, mishaps):
    """The arguments of a comparison with ``Deadly``, into a folder."""

    def arguments(out: Path, *more: str) -> list[str]:
        return [
            "compare",
            f"--data.source={class_folder}",
            f"--out={out}",
            "--data.image_size=16",
            "--reduction.n_components=8",
            "--clustering.n_clusters=4",
            "--training.epochs=1",
            "--training.batch_size=8",
            "--clustering.class_path=tests.comparison.deadly.Deadly",
            f'--clustering.init_args={{"folder": "{mishaps}"}}',
            "--accelerator=cpu",
            "--methods=custom,untrained",
            "--seeds=1",
            *more,
        ]

    return arguments


def results(out: Path) -> dict[str, dict]:
    """What the trials below ``out`` measured, but for the time it took."""
    found = {}
    for path in sorted(out.glob("*/*/summary.json")):
        summary = json.loads(path.read_text())
        key = path.parent.relative_to(out).as_posix()
        found[key] = {name: value for name, value in summary.items() if name not in TIMES}
    return found


def test_workers_give_the_results_of_one_process_and_one_that_is_killed_goes_on(
    compare, mishaps, tmp_path, capsys
):
    (mishaps / "kill").touch()
    assert main(compare(tmp_path / "two", "--workers=2")) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("-- custom")]
    assert told[:3] == [
        "-- custom, seed 0: started",
        "-- custom, seed 0: died: killed by SIGKILL: was there enough memory?",
        "-- custom, seed 0: started again",
    ]
    assert told[3].startswith("-- custom, seed 0: finished, linear probe ")
    assert not any(line.startswith("epoch") for line in lines)
    assert "epoch 1/1" in (tmp_path / "two" / "custom" / "seed-0.log").read_text()
    assert not (tmp_path / "two" / "failures.json").exists()
    n_threads = torch.get_num_threads()
    share = max(1, usable_cpus() // 2)
    try:
        torch.set_num_threads(share)
        assert main(compare(tmp_path / "one")) == 0
    finally:
        torch.set_num_threads(n_threads)
    assert len(results(tmp_path / "one")) == 2
    assert results(tmp_path / "two") == results(tmp_path / "one")
    summary = json.loads((tmp_path / "two" / "custom" / "seed-0" / "summary.json").read_text())
    assert summary["hardware"]["n_threads"] == share


def test_one_that_dies_is_left_out_with_its_seed_and_run_again_by_the_next_call(
    compare, mishaps, tmp_path, capsys
):
    (mishaps / "exit").touch()
    out = tmp_path / "out"
    arguments = compare(out, "--seeds=2", "--workers=2", "--retries=0")
    assert main(arguments) == 1
    captured = capsys.readouterr()
    failures = json.loads((out / "failures.json").read_text())
    (key,) = failures
    assert failures[key]["attempts"] == 1
    assert failures[key]["reason"].startswith("ended with exit code 7 (see ")
    seed = int(key.removeprefix("custom/seed-"))
    assert captured.err.startswith(f"failed: custom, seed {seed}: ended with exit code 7")
    assert len(results(out)) == 3
    comparison = json.loads((out / "comparison.json").read_text())
    assert comparison["missing"] == [key]
    assert comparison["seeds"] == [1 - seed]
    for method in comparison["methods"].values():
        assert len(method["runs"]) == 1
    assert f"the seeds of what failed: {key}." in captured.out
    assert main(compare(out, "--seeds=2")) == 0
    assert len(results(out)) == 4
    assert not (out / "failures.json").exists()
    comparison = json.loads((out / "comparison.json").read_text())
    assert (comparison["missing"], comparison["seeds"]) == ([], [0, 1])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_no_worker_outlives_its_parent(compare, mishaps, tmp_path, how):
    (mishaps / "hang").touch()
    command = [sys.executable, "-m", "deepstdp", *compare(tmp_path / "out", "--workers=2")]
    # A shell's background jobs ignore SIGINT, and so would what they start.
    listen = partial(signal.signal, how, signal.SIG_DFL)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=listen
    ) as parent:
        wait_for(lambda: list(tmp_path.glob("pid-*")))
        worker = int(next(tmp_path.glob("pid-*")).name.removeprefix("pid-"))
        parent.send_signal(how)
        assert parent.wait(120) == 75
        assert parent.stderr.read() == b"deepstdp: stopped: the same command goes on\n"
    wait_for(lambda: not is_running(worker))


def wait_for(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_failure_of_ones_own_is_not_tried_again(compare, mishaps, tmp_path, capsys):
    (mishaps / "raise").touch()
    assert main(compare(tmp_path / "out", "--seeds=2")) == 1
    captured = capsys.readouterr()
    assert captured.err == "failed: custom, seed 0: Deadly.fit_predict failed: no clusters today\n"
    assert "again" not in captured.out
    failures = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert failures["custom/seed-0"]["attempts"] == 1
    assert len(results(tmp_path / "out")) == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_training_that_diverges_everywhere_leaves_nothing_to_compare(
    compare, tmp_path, capsys, workers
):
    more = [f"--workers={workers}", "--training.learning_rate=1e9", "--training.epochs=2"]
    assert main(compare(tmp_path / "out", *more)) == 1
    captured = capsys.readouterr()
    failed, nothing = captured.err.splitlines()
    assert failed.startswith("failed: custom, seed 0: training diverged: ")
    assert nothing.startswith("deepstdp: error: every seed lacks a trial")
    assert captured.out.count("custom, seed 0: started") == 1
    assert not (tmp_path / "out" / "comparison.json").exists()
    assert list(results(tmp_path / "out")) == ["untrained/seed-0"]


@pytest.mark.parametrize(("n_deaths", "exit_code"), [(1, 0), (2, 0), (3, 1)])
def test_exceptions_in_this_process_are_tried_again(
    compare, tmp_path, capsys, monkeypatch, n_deaths, exit_code
):
    run, deaths = executors.run_experiment, iter(range(n_deaths))

    def dying(config, *args, **kwargs):
        if config.clustering.method == "custom" and next(deaths, None) is not None:
            raise RuntimeError("out of\nmemory")
        return run(config, *args, **kwargs)

    monkeypatch.setattr(executors, "run_experiment", dying)
    assert main(compare(tmp_path / "out", "--retries=2")) == exit_code
    printed = capsys.readouterr().out
    assert printed.count("custom, seed 0: started") == min(n_deaths + 1, 3)
    log = (tmp_path / "out" / "custom" / "seed-0.log").read_text()
    assert log.count("RuntimeError: out of\nmemory\n") == n_deaths
    assert "untrained, seed 0: finished" in printed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--clustering.n_clusters=999"], "there are only 24 training images"),
        (["--clustering.class_path=no.such.Thing"], "no.such.Thing cannot be imported"),
        (["--data.source=nowhere"], "nowhere does not exist"),
        (["--workers=0"], "--workers must be at least 1"),
        (["--retries=-1"], "--retries must not be negative"),
        (["--executor=moon"], "executor"),
    ],
)
def test_what_concerns_all_trials_is_one_line_before_any(compare, tmp_path, capsys, more, message):
    assert main(compare(tmp_path / "out", "--workers=2", *more)) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_one_process_at_a_time_compares_into_a_folder(compare, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("deepstdp.run_lock.PATIENCE", 0)
    out = tmp_path / "out"
    out.mkdir()
    with alone_in(out):
        assert main(compare(out)) == 2
    assert f"another process is writing {out}: wait for it" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [LOCK]  # no trial counts as failed


def test_without_ray_the_error_says_what_to_install(compare, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(compare(tmp_path / "out", "--executor=ray")) == 2
    assert capsys.readouterr().err == (
        'deepstdp: error: --executor ray needs ray: pip install "deepstdp[ray]"\n'
    )


def test_cores_are_divided_and_gpus_go_round(monkeypatch):
    monkeypatch.setattr(executors, "usable_cpus", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    given = settings_of(Processes(3, "auto"))
    assert [s["CUDA_VISIBLE_DEVICES"] for s in given] == ["3", "5", "3"]
    assert {s["OMP_NUM_THREADS"] for s in given} == {"2"}
    assert {s["NUMBA_NUM_THREADS"] for s in settings_of(Processes(9, "cpu"))} == {"1"}
    assert not any("CUDA_VISIBLE_DEVICES" in s for s in settings_of(Processes(2, "cpu")))


def settings_of(processes: Processes) -> list[dict[str, str]]:
    free = processes._free
    return [free.get() for _ in range(free.qsize())]


@pytest.mark.parametrize(
    ("n_workers", "cores", "expected"),
    [(1, [8, 4], 8), (2, [8, 4], 4), (3, [8, 8], 4), (4, [8], 2), (9, [4, 4], 1), (1, [], 1)],
)
def test_a_cluster_gives_each_trial_as_many_cores_as_fit(n_workers, cores, expected):
    assert cores_for_each(n_workers, cores) == expected


def test_no_cluster_where_ray_address_says_is_one_line(compare, tmp_path, capsys, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert main(compare(tmp_path / "out", "--executor=ray")) == 2
    err = capsys.readouterr().err
    assert err.startswith("deepstdp: error: there is no Ray cluster at RAY_ADDRESS 127.0.0.1:9 (")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("has_groups", [True, False])
def test_a_process_is_ended_with_or_without_groups(monkeypatch, has_groups):
    if not has_groups:  # as on Windows
        monkeypatch.delattr(os, "killpg")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        kill_with_children(process.pid)
        assert process.wait(10) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        kill_with_children(process.pid)


@pytest.fixture
def ray_cluster(monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), *sys.path]))
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.slow
def test_ray(compare, mishaps, tmp_path, capsys, ray_cluster):
    for mishap in ("kill", "exit"):
        (mishaps / mishap).touch()
    out = tmp_path / "ray"
    assert main(compare(out, "--executor=ray", "--workers=2", "--retries=2")) == 0
    printed = capsys.readouterr().out
    assert "Ray: 1 nodes, 2 CPUs, 0 GPUs; 1 CPUs a trial" in printed
    assert "died: killed by SIGKILL" in printed
    assert "died: ended with exit code 7" in printed
    assert printed.count("custom, seed 0: started again") == 2
    (mishaps / "raise").touch()
    assert main(compare(out, "--executor=ray", "--workers=2", "--seeds=2")) == 1
    captured = capsys.readouterr()
    assert captured.err == "failed: custom, seed 1: Deadly.fit_predict failed: no clusters today\n"
    assert captured.out.count("custom, seed 1: started") == 1
