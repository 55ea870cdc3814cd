import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from deepstdp.config import Config
from deepstdp.errors import UserError
from deepstdp.run_dir import RunDir, write_atomically


def test_config_metrics_and_summary_read_back(tmp_path):
    run = RunDir.create(tmp_path / "a" / "run", Config(seed=4))
    assert RunDir.open(run.path).config() == Config(seed=4)
    for epoch in (1, 2, 3):
        run.append_metrics({"epoch": epoch, "loss": 0.5})
    assert [m["epoch"] for m in run.metrics()] == [1, 2, 3]
    run.keep_metrics_until(2)
    assert [m["epoch"] for m in run.metrics()] == [1, 2]
    assert run.summary() is None
    run.write_summary({"a": 1})
    assert run.summary() == {"a": 1}


def test_a_line_cut_short_is_left_out(tmp_path):
    run = RunDir.create(tmp_path / "run", Config())
    run.append_metrics({"epoch": 1})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')
    assert run.metrics() == [{"epoch": 1}]


def test_tensors_read_back_with_their_record(tmp_path):
    run = RunDir.create(tmp_path / "run", Config())
    tensors = {"w": torch.randn(3, 4).T, "n": torch.tensor(5)}
    run.save_tensors("state", tensors, {"epoch": 3})
    loaded, info = run.load_tensors("state")
    assert info == {"epoch": 3}
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_missing_and_damaged_tensors(tmp_path):
    run = RunDir.create(tmp_path / "run", Config())
    with pytest.raises(UserError, match="is the run finished"):
        run.load_tensors("weights")
    run.save_tensors("weights", {"w": torch.randn(100)}, {})
    path = run.path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match="is damaged"):
        run.load_tensors("weights")


def test_an_existing_run_is_not_overwritten_unasked(tmp_path):
    run = RunDir.create(tmp_path / "run", Config())
    run.append_metrics({"epoch": 1})
    with pytest.raises(UserError, match="--resume or --overwrite"):
        RunDir.create(run.path, Config())
    RunDir.create(run.path, Config(), overwrite=True)
    assert run.metrics() == []


def test_a_folder_that_is_no_run_is_never_deleted(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not a run directory"):
        RunDir.create(tmp_path, Config(), overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not a run directory"):
        RunDir.create(tmp_path / "file", Config(), overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_an_impossible_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the run directory"):
        RunDir.create(tmp_path / "file" / "run", Config())


def test_labels_are_csv_whatever_the_names(tmp_path):
    run = RunDir.create(tmp_path / "run", Config())
    run.write_labels(["a,b.png", 'c"d.png'], np.array([3, 4]))
    assert (run.path / "labels.csv").read_text() == (
        'image,pseudo_label\n"a,b.png",3\n"c""d.png",4\n'
    )


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.json"
    write_atomically(path, b"old")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, json.dumps({"new": 1}).encode())
    assert path.read_bytes() == b"old"


def test_a_run_directory_with_something_else_in_it_is_never_deleted(tmp_path):
    run = RunDir.create(tmp_path / "run", Config())
    (run.path / "notes.txt").write_text("precious")
    with pytest.raises(UserError, match=r"holds notes\.txt"):
        RunDir.create(run.path, Config(), overwrite=True)
    assert (run.path / "notes.txt").exists()


def test_file_names_that_are_not_unicode_are_written_as_they_were(tmp_path):
    run = RunDir.create(tmp_path / "run", Config())
    run.write_labels([b"caf\xe9.png".decode("utf-8", "surrogateescape")], np.array([1]))
    assert b"caf\xe9.png,1" in (run.path / "labels.csv").read_bytes()


def test_a_run_may_go_on_elsewhere_but_not_as_something_else(tmp_path):
    config = Config()
    run = RunDir.create(tmp_path / "run", config)
    data = replace(config.data, loading="stream", workers=3)
    run.check_config(replace(config, accelerator="cpu", devices=4, compile=True, data=data))
    for other in (replace(config, precision="bf16-mixed"), replace(config, seed=1)):
        with pytest.raises(UserError, match="another config"):
            run.check_config(other)
