import csv
import hashlib
import io
import json
import os
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from deepstdp.config_files.mapping import read_mapping
from deepstdp.data.numpy_file import read_arrays
from deepstdp.errors import UserError
from deepstdp.files import (
    checksum_of_files,
    labels_csv,
    load_tensors,
    parse_json,
    read_json,
    require_real,
    save_tensors,
    whole,
    write_json,
)

_NAMES = st.lists(st.text(min_size=1), max_size=5)


@given(names=_NAMES)
def test_any_file_name_comes_back_from_csv(names):
    labels = np.arange(len(names), dtype=np.int64)
    content = labels_csv("cluster", names, labels).decode("utf-8", "surrogateescape")
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert rows == [["image", "cluster"], *([n, str(i)] for i, n in enumerate(names))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "no JSON"),
        (b"[1]", "no JSON object"),
        (b"[" * 200_000, "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"9" * 10_000, "no JSON"),
    ],
)
def test_what_is_no_json_object_is_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_json(tmp_path / "a.json")
    with pytest.raises(UserError, match=message):
        parse_json(content, tmp_path / "a.json")


def test_tensors_come_back_with_their_record(tmp_path):
    tensors = {"b": torch.arange(3), "a": torch.rand(2, 2)}
    save_tensors(tmp_path / "a.safetensors", tensors, {"x": [1, "y"]})
    found, info = load_tensors(tmp_path / "a.safetensors")
    assert info == {"x": [1, "y"]}
    assert all(torch.equal(found[name], value) for name, value in tensors.items())


def test_every_byte_of_a_file_of_tensors_counts(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": torch.arange(4, dtype=torch.uint8)}, {"x": 1})
    content = path.read_bytes()
    for i in range(len(content)):
        changed = bytearray(content)
        changed[i] ^= 1
        path.write_bytes(changed)
        with pytest.raises(UserError, match=r"is damaged|was not written by"):
            load_tensors(path)


def test_a_checksum_of_other_tensors_is_wrong(tmp_path):
    path = tmp_path / "a.safetensors"
    header = json.dumps({"sha256": "0" * 64, "info": {}})
    save_file({"a": torch.ones(2)}, path, {"deepstdp": header})
    with pytest.raises(UserError, match="its checksum is wrong"):
        load_tensors(path)


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with suppress(ZeroDivisionError), whole(path) as unfinished:
        unfinished.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (torch.zeros(2, 3), True),
        (torch.zeros(2, 4), True),
        (torch.zeros(3, 3), False),
        (torch.zeros(2), False),
        (torch.zeros(2, 3, dtype=torch.int64), False),
        (None, False),
        (1.0, False),
    ],
)
def test_tensors_of_files_have_the_shapes_that_are_asked_for(value, fits):
    if fits:
        require_real("a", value, 2, None)
    else:
        with pytest.raises(ValueError, match="a should be real numbers"):
            require_real("a", value, 2, None)


def test_a_header_that_is_no_record_is_damage(tmp_path):
    path, tensors = tmp_path / "a.safetensors", {"a": torch.zeros(1)}
    header = {"sha256": "", "info": [1]}
    path.write_bytes(save(tensors, metadata={"deepstdp": json.dumps(header)}))
    with pytest.raises(UserError, match="holds no record"):
        load_tensors(path)


def test_records_that_are_too_large_are_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    monkeypatch.setattr("deepstdp.files.MOST_RECORD_BYTES", 10)
    path.write_text(json.dumps({"a": "b" * 20}))
    with pytest.raises(UserError, match="is larger than 0 MiB, which no record"):
        read_json(path)


@pytest.mark.parametrize(
    "read", [load_tensors, read_json, read_mapping, lambda path: read_arrays(path, "a")]
)
def test_a_pipe_that_never_ends_is_no_file(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is no file"):
        read(tmp_path / "pipe")


def test_a_checksum_of_files_by_hand(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    paths[0].write_bytes(b"x")
    paths[1].write_bytes(b"")
    parts = b"".join(hashlib.sha256(content).digest() for content in (b"x", b""))
    assert checksum_of_files(paths) == hashlib.sha256(parts).hexdigest()
    assert checksum_of_files(reversed(paths)) != checksum_of_files(paths)
    with pytest.raises(FileNotFoundError):
        checksum_of_files([tmp_path / "c"])
