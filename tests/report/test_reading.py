import json
import shutil
from dataclasses import replace

import pytest

from deepstdp.errors import UserError
from deepstdp.report.reading import RunView, baseline_of, group_runs
from deepstdp.run_dir import RunDir


def test_seeds_of_one_config_are_one_group(runs):
    groups = group_runs([RunView.read(run) for run in runs])
    assert list(groups) == ["stdp", "kmeans", "<b>un&"]
    assert [v.config.seed for v in groups["stdp"]] == [0, 1]


def test_groups_of_one_name_are_told_apart(runs):
    views = [RunView.read(run) for run in runs]
    renamed = [views[0], RunView(views[0].run, views[2].config, views[2].metrics, None)]
    assert list(group_runs(renamed)) == ["stdp", "stdp (2)"]


def test_a_seed_counts_once(runs):
    """Else a run beside its copy would be two seeds with an interval of no width."""
    views = [RunView.read(run) for run in runs[:2]]
    groups = group_runs([*views, views[0]])
    assert [len(group) for group in groups.values()] == [2, 1]


def test_other_images_are_another_group_and_another_machine_is_not(runs):
    first, second = (RunView.read(run) for run in runs[:2])
    other = replace(second, summary={**second.summary, "n_val": 7})
    assert len(group_runs([first, other])) == 2
    held_out = replace(second, summary={**second.summary, "val_images": "as its seed has them"})
    assert len(group_runs([first, held_out])) == 1
    elsewhere = replace(second, config=replace(second.config, accelerator="auto", devices=2))
    assert len(group_runs([first, elsewhere])) == 1


def test_the_baseline_is_known_by_its_method(runs):
    views = [RunView.read(run) for run in runs]
    assert baseline_of(group_runs(views)) == "kmeans"
    assert baseline_of({"a": views[:2], "b": views[2:4]}) == "b"
    assert baseline_of({"a": views[:2]}) is None


def test_a_summary_without_class_names_has_none(runs):
    view = RunView.read(runs[0])
    summary = {key: value for key, value in view.summary.items() if key != "class_names"}
    assert view.class_names
    assert replace(view, summary=summary).class_names == []


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("summary.json", lambda r: r.pop("hardware"), "has no hardware"),
        ("summary.json", lambda r: r.clear(), "has no final"),
        ("summary.json", lambda r: r["final"].update(loss="x"), "is no number"),
        ("summary.json", lambda r: r.update(class_names=[1]), "class names that are none"),
        ("summary.json", lambda r: r.update(correct="01"), "not which images are right"),
        ("summary.json", lambda r: r["correct_untrained"].update(knn="2"), "not which images"),
        ("metrics.jsonl", lambda r: r.pop("epoch"), "without an epoch"),
    ],
)
def test_damaged_records_are_one_line(runs, tmp_path, name, change, message):
    path = tmp_path / "run"
    shutil.copytree(runs[0].path, path)
    lines = (path / name).read_text().splitlines() if name.endswith("l") else []
    record = json.loads(lines[0] if lines else (path / name).read_text())
    change(record)
    (path / name).write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    with pytest.raises(UserError, match=message):
        RunView.read(RunDir.open(path))


def test_examples_of_other_classes_are_damage(runs):
    view = RunView.read(runs[0])
    with pytest.raises(UserError, match="its examples are of other classes"):
        _ = replace(view, summary={**view.summary, "class_names": ["a", "b"]}).examples
    # A class of which no training image is left has no column.
    more = [*view.class_names, "rare"]
    assert replace(view, summary={**view.summary, "class_names": more}).examples is not None


def test_a_run_goes_by_its_folder(runs):
    view = RunView.read(runs[0])
    assert list(group_runs([view])) == ["stdp"]
    epochs, losses = view.series("loss")
    assert epochs == [1, 2]
    assert all(loss > 0 for loss in losses)
    assert view.series("no such thing") == ([], [])
