import io
import os
import re
import time

import pytest
from rich.console import Console

from deepstdp.cli import main
from deepstdp.cli.watch import _Watched
from deepstdp.config import Config, TrainingConfig
from deepstdp.errors import UserError
from deepstdp.report.reading import RunView
from deepstdp.report.terminal import draw, draw_all, sparkline
from deepstdp.run_dir import RunDir


def record(epoch, **values):
    return {"epoch": epoch, "loss": 2.0 / epoch, "seconds_training": 30.0, **values}


def seen(*runs: RunDir) -> str:
    console = Console(width=200, file=io.StringIO())
    views = [RunView.read(run) for run in runs]
    console.print(draw(*views) if len(views) == 1 else draw_all(views))
    return console.file.getvalue()


def finish(run: RunDir) -> None:
    nothing = dict.fromkeys(("final", "untrained", "hardware", "versions"), {})
    counts = dict.fromkeys(("n_train", "n_val", "n_skipped"), 0)
    facts = {"class_names": None, "val_images": "", "wall_seconds": 187.0}
    run.write_summary(nothing | counts | facts)


@pytest.fixture
def two_runs(tmp_path):
    """Of a comparison, of which one is finished."""
    config = Config(training=TrainingConfig(epochs=10))
    runs = [RunDir.create(tmp_path / f"out/{method}/seed-0", config) for method in ("a", "b")]
    runs[0].append_metrics(record(10, nmi_labels=0.5))
    finish(runs[0])
    return runs


@pytest.fixture
def run(tmp_path):
    return RunDir.create(tmp_path / "run [b]x[/b]", Config(training=TrainingConfig(epochs=10)))


def test_before_the_first_epoch(run):
    assert "epoch 1 of 10 goes on" in seen(run)


def test_how_long_it_will_take(run):
    for epoch in (1, 2):
        run.append_metrics(record(epoch, linear_probe_accuracy=0.25 * epoch, nmi_labels=None))
    shown = seen(run)
    assert "run [b]x[/b]: 2 of 10 epochs, about 4:00 min left" in shown
    assert "probe ▁█ 25.0% -> 50.0%" in shown
    assert "NMI" not in shown, "nothing is shown that was not measured"
    assert shown.splitlines()[-1].split() == ["2", "1.000", "50.0%", "30", "s"]


def test_a_run_that_says_nothing_any_more(run):
    run.append_metrics(record(1))
    path = run.path / "metrics.jsonl"
    os.utime(path, (time.time() - 7500,) * 2)
    assert "1 of 10 epochs, nothing new for 2:05 h: has it ended?" in seen(run)


def test_a_finished_run(run):
    run.append_metrics(record(10))
    finish(run)
    assert "finished in 3:07 min" in seen(run)


def test_a_long_curve_keeps_its_end():
    assert sparkline(range(1000), width=8) == "▁▂▃▄▅▆▇█"
    assert sparkline([3, 3]) == "▁▁"


def test_a_damaged_run_is_one_line(run):
    run.append_metrics({"epoch": 1, "loss": "much"})
    with pytest.raises(UserError, match="what was measured is no number"):
        seen(run)


def test_what_cannot_be_drawn_is_one_line(run):
    for epoch, loss in ((1, float("nan")), (2, 3.0)):
        run.append_metrics(record(epoch, linear_probe_accuracy=loss))
    with pytest.raises(UserError, match="is damaged"):
        seen(run)


def test_no_colours_where_they_are_not_wanted(run, monkeypatch, capsys):
    run.append_metrics(record(3))
    colour = re.compile(r"\x1b\[[\d;]*[34]\d")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["watch", str(run.path), "--once"]) == 0
    assert colour.search(capsys.readouterr().out)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["watch", str(run.path), "--once"]) == 0
    assert not colour.search(capsys.readouterr().out)


def test_a_comparison_has_a_line_a_run(two_runs, capsys):
    header, going_on, finished = seen(*two_runs).splitlines()
    assert header.split() == ["run", "loss", "NMI"]
    assert re.fullmatch(r"b/seed-0 +epoch 1 of 10 goes on +- +- *", going_on)
    assert re.fullmatch(r"a/seed-0 +finished in 3:07 min +0.200 +0.500", finished)
    assert main(["watch", str(two_runs[0].path.parents[1]), "--once"]) == 0
    assert "b/seed-0" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["comparison.json", "failures.json"])
def test_a_comparison_has_ended_with_its_results(two_runs, name):
    out = two_runs[0].path.parents[1]
    watched, results = _Watched(out), out / name
    assert not watched.has_ended()
    for path in out.rglob("*"):
        os.utime(path, (time.time() - 9,) * 2)
    results.write_text("{}")
    assert watched.has_ended()
    another = RunDir.create(out / "b" / "seed-1", two_runs[0].config())
    os.utime(another.path / "config.yaml", (time.time() + 9,) * 2)
    assert not watched.has_ended(), "they are of an earlier call"
    assert "b/seed-1" in str(list(watched.drawn().columns[0].cells))


def test_a_run_has_ended_with_its_summary(two_runs):
    assert _Watched(two_runs[0].path).has_ended()
    assert not _Watched(two_runs[1].path).has_ended()


def test_an_idle_run_of_a_comparison_has_no_resume(two_runs):
    two_runs[1].append_metrics(record(3))
    os.utime(two_runs[1].path / "metrics.jsonl", (time.time() - 7500,) * 2)
    shown = seen(*two_runs)
    assert "3 of 10 epochs, nothing new for 2:05 h" in shown
    assert "--resume" not in shown, "which compare does not have"


def test_the_line_of_a_damaged_run_is_one(two_runs):
    for epoch in (1, 2):
        two_runs[1].append_metrics(record(epoch) | {"loss": "much"})
    with pytest.raises(UserError, match="what was measured is no number"):
        seen(*two_runs)
