"""A file of results names files: those of ``--out`` and no others."""

import json

import pytest

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
