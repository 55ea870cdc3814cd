"""A whole study from the command line: tuned, cut short, run on subsets, drawn again."""

import json
from pathlib import Path

import pytest
import yaml

from deepstdp.cli import main
from deepstdp.comparison.pool import Execution
from deepstdp.errors import UserError
from deepstdp.progress import SILENT
from deepstdp.study import tuning as tuning_module
from deepstdp.study.reading import read_study
from deepstdp.study.results import over_subsets
from deepstdp.study.tuning import tune
from tests.helpers import image_bytes

RECIPE = {
    "data": {"image_size": 16},
    "reduction": {"n_components": 8},
    "clustering": {"n_clusters": 4},
    "training": {"epochs": 2, "batch_size": 8},
    "evaluation": {"every": 1},
    "accelerator": "cpu",
}
STUDY = {
    "title": "Two of them",
    "base": "recipe.yaml",
    "seeds": [0, 1],
    "baseline": "kmeans",
    "variants": {
        "kmeans": {"clustering.method": "kmeans"},
        "stdp": {"clustering.method": "stdp"},
        "supervised": {"clustering.method": "supervised"},
    },
    "subsets": {"three": ["n01", "n02", "n03"], "two": "first-2"},
    "tuning": {
        "n_trials": 2,
        "seed": 9,
        "space": {"training.learning_rate": {"low": 0.01, "high": 0.1, "log": True}},
        "variants": {"stdp": {"clustering.stdp.n_timesteps": [5, 25]}, "kmeans": {}},
    },
    "panels": {"the two": ["kmeans", "stdp"], "and a ceiling": ["stdp", "supervised"]},
}


CURVES = ("-curves-1", "-curves-2")


@pytest.fixture
def study_file(tmp_path, tiny_zip) -> Path:
    (tmp_path / "recipe.yaml").write_text(
        yaml.safe_dump(RECIPE | {"data": {"image_size": 16, "source": str(tiny_zip)}})
    )
    path = tmp_path / "pair.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path


def test_a_study_from_the_command_line(study_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["study", str(study_file), "--out", str(out), "--training.batch_size", "16"]) == 0
    printed = capsys.readouterr().out
    record = json.loads((out / "pair.json").read_text())
    assert set(record["subsets"]) == {"three", "two"}
    assert record["command"].startswith(f"deepstdp study {study_file} --out")
    tuned = record["tuning"]["stdp"]
    assert [set(t["settings"]) for t in tuned["trials"]] == [set(tuned["settings"])] * 2
    assert tuned["value"] == max(t["value"] for t in tuned["trials"])
    for name, subset in record["subsets"].items():
        assert list(subset["trials"]) == ["kmeans", "stdp", "supervised", "untrained"]
        for trials in subset["trials"].values():
            assert [trial["seed"] for trial in trials] == [0, 1]
        assert "bootstrap_ratio" in subset["comparison"]["versus_baseline"]["stdp"]
        config = yaml.safe_load((out / name / "stdp" / "seed-0" / "config.yaml").read_text())
        assert config["training"]["batch_size"] == 16
        assert (
            config["clustering"]["stdp"]["n_timesteps"]
            == (tuned["settings"]["clustering.stdp.n_timesteps"])
        )
        assert config["data"]["split"] == "official"
        assert f"Two of them: {name}" in printed
    assert set(record["over_subsets"]["stdp"]) == {
        "ratio",
        "points_to_untrained",
        "below_untrained",
    }
    perfect = record["subsets"]["two"]["trials"]["supervised"][0]["final"]
    assert perfect["nmi_labels"] == pytest.approx(1)
    drawn = {path.name: path.read_bytes() for path in out.glob("*.png")}
    assert set(drawn) == {f"pair-{s}{c}.png" for s in ("three", "two") for c in ("", *CURVES)}
    again = tmp_path / "again"
    assert main(["study", str(out / "pair.json"), "--out", str(again)]) == 0
    assert {path.name: path.read_bytes() for path in again.glob("*.png")} == drawn
    assert capsys.readouterr().out.split("figures")[0] in printed


def test_a_search_that_was_cut_short_goes_on_as_if_it_had_not_been(
    study_file, tmp_path, monkeypatch
):
    study = read_study(study_file)
    whole = tune(study, tmp_path / "whole", Execution(), SILENT)
    submit, n_left = tuning_module.TrialPool.submit, 1

    def interrupted(pool, trial):
        nonlocal n_left
        if n_left == 0:
            raise KeyboardInterrupt
        n_left -= 1
        return submit(pool, trial)

    monkeypatch.setattr(tuning_module.TrialPool, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(study, tmp_path / "parts", Execution(), SILENT)
    monkeypatch.setattr(tuning_module.TrialPool, "submit", submit)
    for journal in (tmp_path / "parts").glob("*/journal.log"):  # a lock, as after a kill
        journal.with_name("journal.log.lock").symlink_to(journal)
    assert tune(study, tmp_path / "parts", Execution(), SILENT) == whole
    config = yaml.safe_load((tmp_path / "parts/stdp/trial-0/config.yaml").read_text())
    assert (config["data"]["split"], config["seed"]) == ("tuning", 9)
    # The recipe's own settings come first.
    assert whole["stdp"]["trials"][0]["settings"] == {
        "training.learning_rate": 0.05,
        "clustering.stdp.n_timesteps": 25,
    }


def test_workers_find_the_same(study_file, tmp_path):
    study = read_study(study_file)
    alone = tune(study, tmp_path / "one", Execution(), SILENT)
    shared = tune(study, tmp_path / "two", Execution(workers=2), SILENT)
    assert [found["trials"][0]["settings"] for found in alone.values()] == [
        found["trials"][0]["settings"] for found in shared.values()
    ]
    for variant, found in alone.items():
        values = [[t["value"] for t in of_one["trials"]] for of_one in (found, shared[variant])]
        assert values[0] == pytest.approx(values[1], abs=0.13)  # one image of eight


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", "{}", "holds no results of a study"),
        ("x.json", "[", "is no JSON, or damaged"),
        ("x.yaml", "- 1", "must hold 'key: value' settings"),
        ("x.yaml", "base: [", "is not YAML"),
    ],
)
def test_files_of_another_kind(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_text(content)
    assert main(["study", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_study_takes_no_config(study_file, tmp_path, capsys):
    arguments = ["--out", str(tmp_path / "out"), "--config", str(tmp_path / "recipe.yaml")]
    assert main(["study", str(study_file), *arguments]) == 2
    assert "leave --config out" in capsys.readouterr().err


def test_results_cannot_be_changed(tmp_path, capsys):
    (tmp_path / "x.json").write_text("{}")
    arguments = ["study", str(tmp_path / "x.json"), "--out", str(tmp_path / "out"), "--seed", "1"]
    assert main(arguments) == 2
    assert "--seed cannot change them" in capsys.readouterr().err


def test_tuning_refuses_images_whose_validation_split_hangs_on_the_seed(study_file, tmp_path):
    study = read_study(study_file, {"data.source": "digits", "data.image_size": "16"})
    with pytest.raises(UserError, match="has no validation split of its own"):
        tune(study, tmp_path / "tuning", Execution(), SILENT)


def test_settings_that_diverge_are_a_trial_too(study_file, tmp_path):
    content = yaml.safe_load(study_file.read_text())
    content["tuning"]["n_trials"] = 3
    space = {"training.learning_rate": [0.05, 1e12, 2e12, 3e12, 4e12]}
    content["tuning"] |= {"space": space, "variants": {"kmeans": {}}}
    study_file.write_text(yaml.safe_dump(content))
    study = read_study(study_file)
    found = tune(study, tmp_path / "tuning", Execution(), SILENT)["kmeans"]
    tried = [(t["settings"]["training.learning_rate"], t["value"]) for t in found["trials"]]
    assert tried[0] == (0.05, found["value"])
    assert len(tried) == 3
    assert max(rate for rate, _ in tried) > 1
    assert all((value is None) == (rate > 1) for rate, value in tried)
    assert found["settings"]["training.learning_rate"] == 0.05


def test_a_variant_that_always_fails_leaves_the_others(study_file, tmp_path, capsys):
    content = yaml.safe_load(study_file.read_text())
    content["variants"]["wild"] = {"training.learning_rate": 1e12}
    del content["tuning"], content["subsets"], content["panels"]
    study_file.write_text(yaml.safe_dump(content))
    out = tmp_path / "out"
    assert main(["study", str(study_file), "--out", str(out)]) == 1
    assert "failed: wild, seed 0: training diverged" in capsys.readouterr().err
    record = json.loads((out / "pair.json").read_text())["subsets"]["main"]
    assert set(record["trials"]) == {"kmeans", "stdp", "supervised", "untrained"}
    assert record["comparison"]["missing"] == ["wild/seed-0", "wild/seed-1"]
    assert record["comparison"]["seeds"] == [0, 1]


def test_images_without_labels_are_compared_as_far_as_they_go(study_file, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i}.png").write_bytes(image_bytes(20 * i))
    content = yaml.safe_load(study_file.read_text())
    del content["tuning"], content["subsets"], content["panels"]
    content["variants"].pop("supervised")
    study_file.write_text(yaml.safe_dump(content))
    out = tmp_path / "out"
    command = ["study", str(study_file), "--data.source", str(folder), "--out", str(out)]
    assert main(command) == 0
    assert (out / "pair-main.png").exists()
    stdp = json.loads((out / "pair.json").read_text())["subsets"]["main"]["trials"]["stdp"][0]
    assert stdp["final"]["linear_probe_accuracy"] is None
    assert stdp["final"]["assignment_stability"] is not None


def comparison(**means):
    return {
        "comparison": {
            "baseline": "kmeans",
            "methods": {n: {"linear_probe_accuracy": {"mean": m}} for n, m in means.items()},
        }
    }


def test_subsets_are_the_unit():
    subsets = {
        "a": comparison(untrained=0.3, kmeans=0.2, stdp=0.4),
        "b": comparison(untrained=0.3, kmeans=0.1, stdp=0.2),
    }
    result = over_subsets(subsets)
    assert result["stdp"]["ratio"]["mean"] == pytest.approx(2)
    assert result["stdp"]["ratio"]["ci95"] == pytest.approx([2, 2])
    assert result["stdp"]["points_to_untrained"]["mean"] == pytest.approx(0)
    assert result["stdp"]["below_untrained"] == ["b"]
    assert over_subsets({"a": subsets["a"]}) == {}
