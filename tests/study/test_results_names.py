"""A file of results names files: those of ``--out`` and no others."""

import json

import pytest

from deepstdp.cli import main
from deepstdp.errors import UserError
from deepstdp.study.results import read_results

WHOLE = {"name": "a", "title": "A", "subsets": {}, "panels": {}, "over_subsets": {}}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../elsewhere"},
        {"name": "/tmp/elsewhere"},
        {"name": 3},
        {"subsets": {"../../elsewhere": {}}},
        {"subsets": []},
        {"over_subsets": None},
    ],
)
def test_names_of_results_are_no_paths(tmp_path, change):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(WHOLE))
    assert read_results(path) == WHOLE
    path.write_text(json.dumps(WHOLE | change))
    with pytest.raises(UserError, match="is no name of|holds no results"):
        read_results(path)


@pytest.mark.parametrize(
    "change",
    [
        {"subsets": {"s": {}}},
        {"over_subsets": {"a": 3}},
        {"subsets": {"s": {"comparison": {"methods": {}}, "trials": {}}}},
    ],
)
def test_results_of_a_stranger_are_one_line(tmp_path, capsys, change):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(WHOLE | change))
    assert main(["study", str(path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{path} is damaged" in error
    assert error.count("\n") == 1
