import json
from pathlib import Path

import pytest
import yaml

from deepstdp.errors import UserError
from deepstdp.study.reading import overrides_of, read_study
from deepstdp.study.spec import Range

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))

SMALL = {
    "base": "recipe.yaml",
    "seeds": [0, 1],
    "baseline": "kmeans",
    "settings": {"training.epochs": 3},
    "variants": {
        "kmeans": {"clustering.method": "kmeans"},
        "stdp": {"clustering.method": "stdp"},
        "stdp-short": {
            "tuned_as": "stdp",
            "clustering.method": "stdp",
            "training.learning_rate": 0.5,
        },
    },
}


TUNING = {"n_trials": 2, "seed": 9, "variants": {"kmeans": {}}}


@pytest.fixture
def written(tmp_path):
    """Writes a study that differs from ``SMALL`` beside a recipe, and returns its path."""
    (tmp_path / "recipe.yaml").write_text("training: {batch_size: 8, epochs: 9}\n")

    def write(**changes) -> Path:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(SMALL | changes))
        return path

    return write


def test_what_beats_what(written, tmp_path):
    settings = {"training.learning_rate": 0.2, "training.momentum": 0.5}
    (tmp_path / "other.json").write_text(json.dumps({"tuning": {"stdp": {"settings": settings}}}))
    study = read_study(written(tuned="other.json"), {"training.dropout": "0.3"})
    assert (study.name, list(study.variants)) == (
        "small",
        ["kmeans", "stdp", "stdp-short", "untrained"],
    )
    kmeans, stdp, short = (study.config(name).training for name in list(study.variants)[:3])
    assert (kmeans.batch_size, kmeans.epochs, kmeans.dropout) == (8, 3, 0.3)
    assert (kmeans.learning_rate, stdp.learning_rate, short.learning_rate) == (0.05, 0.2, 0.5)
    assert (kmeans.momentum, stdp.momentum, short.momentum) == (0.9, 0.5, 0.5)
    more = {"training.learning_rate": 0.3, "training.dropout": 0.9}
    changed = study.config("stdp", more).training
    assert (changed.learning_rate, changed.dropout) == (0.3, 0.3)
    assert study.settings_of("stdp-short") == {
        "training.epochs": 3,
        "clustering.method": "stdp",
        "training.learning_rate": 0.5,
        "training.momentum": 0.5,
        "training.dropout": "0.3",
    }


def test_each_subset_has_its_classes(written):
    study = read_study(written(subsets={"two": "first-2", "named": ["a", "b"]}))
    assert {c.data.classes for c in study.configs("two").values()} == {"first-2"}
    assert study.configs("named")["stdp"].data.classes == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": {"kmeans": {}, "a/b": {}}}, "a/b: names take letters"),
        ({"subsets": {"../x": "all"}}, "../x: names take letters"),
        ({"subsets": {"a": {"b": 1}}}, "the subset a must list classes"),
        ({"subsets": {"a": [["b"]]}}, "the subset a must list classes"),
        ({"baseline": "kmean"}, "there is no variant kmean"),
        ({"panels": {"all": ["stdp", "x"]}}, "there is no variant x"),
        ({"panels": {"all": []}}, "panel 'all' lists no variants"),
        ({"sedes": [0]}, "unknown key sedes"),
        ({"base": "nothing.yaml"}, "cannot be read"),
        ({"tuned": "nothing.json"}, "cannot be read"),
        ({"tuned": "recipe.yaml"}, "is no JSON, or damaged"),
        ({"variants": {"kmeans": {"training.epoch": 3}}}, "variant kmeans: .*training.epochs"),
        ({"variants": {"kmeans": {"training.epochs": -3}}}, "must not be negative"),
        ({"tuning": {"n_trials": 2}}, "the tuning lacks or misuses"),
        ({"tuning": TUNING | {"seed": 1}}, "must not be one of the study's"),
        ({"tuning": TUNING | {"n_trials": 0}}, "n_trials must be at least 1"),
        (
            {"tuning": TUNING | {"space": {"clustering.method": ["stdp", "kmeans"]}}},
            "clustering.method of kmeans is fixed",
        ),
        ({"tuning": TUNING | {"space": {"data.image_size": [8, 16]}}}, "cannot be searched"),
        ({"variants": {"kmeans": {"tuned_as": "kmean"}}}, "kmeans is tuned_as kmean"),
        ({"seeds": 5}, "seeds must be a list"),
        ({"seeds": []}, "seeds must be given"),
        ({"seeds": [0, 0]}, "each once"),
        ({"variants": ["a"]}, "variants must be a mapping"),
        ({"tuning": None}, "tuning must be a mapping"),
        ({"variants": {"kmeans": {}, "raw-pixels": {}}}, "raw-pixels: names take"),
        ({"subsets": {"..": "all"}}, "[.][.]: names take letters"),
    ],
)
def test_what_is_wrong_is_one_line(written, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        read_study(written(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "seed"),
        ({}, "data.split"),
        ({"subsets": {"a": "first-2"}}, "data.classes"),
        ({"tuning": TUNING | {"space": {"training.momentum": [0.5, 0.9]}}}, "training.momentum"),
    ],
)
def test_what_the_study_decides_itself_is_not_overridden(written, changes, name):
    values = {"seed": "5", "data.split": "official", "data.classes": "all"}
    with pytest.raises(UserError, match=f"leave --{name} out"):
        read_study(written(**changes), {name: values.get(name, "0.5")})


def test_small_numbers_survive_the_way_through_a_file(written, tmp_path):
    settings = {"training.weight_decay": 1e-05}
    (tmp_path / "other.json").write_text(json.dumps({"tuning": {"stdp": {"settings": settings}}}))
    path = written(tuned="other.json")
    # YAML's reader takes 1e-6 for text.
    space = "{training.weight_decay: {low: 1e-6, high: 1e-3, log: true}}"
    tuning = f"tuning: {{n_trials: 1, seed: 9, space: {space}, variants: {{kmeans: {{}}}}}}\n"
    path.write_text(path.read_text() + tuning)
    study = read_study(path)
    assert study.config("stdp").training.weight_decay == 1e-05
    assert study.tuning.space["kmeans"]["training.weight_decay"] == Range(None, 1e-6, 1e-3, True)


def test_ranges():
    assert Range(choices=[1, 2]).holds(2)
    assert not Range(choices=[1, 2]).holds(1.5)
    assert Range(low=0.1, high=0.2).holds(0.2)
    assert not Range(low=0.1, high=0.2).holds(0.3)


def test_settings_among_arguments():
    arguments = ["s.yaml", "--out", "o", "--data.source=x=y", "--data.classes", "a=b", "--seed=3"]
    expected = {"data.source": "x=y", "data.classes": "a=b", "seed": "3"}
    assert overrides_of(arguments, ["out"]) == expected


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_each_study_of_ours_can_be_read_and_says_how_it_is_run(path):
    study = read_study(path)
    assert len(study.seeds) >= 5
    assert f"deepstdp study studies/{path.name}" in path.read_text()
    for panel in study.panels.values():
        assert panel
