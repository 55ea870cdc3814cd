import json
from pathlib import Path

import pytest
import yaml

from deepstdp.errors import UserError
from deepstdp.study.spec import Range, overrides_of, read_study

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
        ({"baseline": "kmean"}, "there is no variant kmean"),
        ({"panels": {"all": ["stdp", "x"]}}, "there is no variant x"),
        ({"sedes": [0]}, "unknown key sedes"),
        ({"base": "nothing.yaml"}, "cannot be read"),
        ({"tuned": "nothing.json"}, "cannot be read"),
        ({"tuned": "recipe.yaml"}, "has no tuning"),
        ({"variants": {"kmeans": {"training.epoch": 3}}}, "variant kmeans: .*training.epochs"),
        ({"variants": {"kmeans": {"training.epochs": -3}}}, "must not be negative"),
        ({"tuning": {"n_trials": 2}}, "the tuning lacks or misuses"),
        (
            {"tuning": {"n_trials": 2, "seed": 1, "variants": {"kmeans": {}}}},
            "must not be one of the study's",
        ),
    ],
)
def test_what_is_wrong_is_one_line(written, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        read_study(written(**changes))
    assert "\n" not in str(caught.value)


def test_ranges():
    assert Range(choices=[1, 2]).holds(2)
    assert not Range(choices=[1, 2]).holds(1.5)
    assert Range(low=0.1, high=0.2).holds(0.2)
    assert not Range(low=0.1, high=0.2).holds(0.3)


def test_settings_among_arguments():
    arguments = ["s.yaml", "--out", "o", "--data.source=x=y", "--training.epochs", "3"]
    assert overrides_of(arguments, ["out"]) == {"data.source": "x=y", "training.epochs": "3"}


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_each_study_of_ours_can_be_read_and_says_how_it_is_run(path):
    study = read_study(path)
    assert len(study.seeds) >= 5
    assert f"deepstdp study studies/{path.name}" in path.read_text()
    for panel in study.panels.values():
        assert panel
