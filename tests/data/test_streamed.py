import os
import pickle
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.faults.runs import children_of
from deepstdp.config import ClusteringConfig, Config, DataConfig, TrainingConfig
from deepstdp.data import load_dataset
from deepstdp.data.images import InMemory
from deepstdp.data.mapped import Mapped
from deepstdp.data.readers import PathReader
from deepstdp.data.streamed import Streamed
from deepstdp.errors import UserError
from deepstdp.runner import run_experiment
from tests.helpers import image_bytes


def load(source, loading="stream", **changes):
    config = DataConfig(source=str(source), image_size=None, loading=loading, workers=0)
    return load_dataset(replace(config, **changes), seed=0)


def everything(images, size=7):
    return torch.cat(list(images.batches(list(torch.arange(len(images)).split(size)))))


def assert_same(ours, theirs):
    assert (ours.class_names, ours.skipped) == (theirs.class_names, theirs.skipped)
    for a, b in ((ours.train, theirs.train), (ours.val, theirs.val)):
        assert not isinstance(a.images, InMemory)
        assert a.names == b.names
        assert a.images.shape == b.images.shape
        assert torch.equal(everything(a.images), everything(b.images))
        if b.labels is None:
            assert a.labels is None
        else:
            assert a.labels.dtype == b.labels.dtype
            assert np.array_equal(a.labels, b.labels)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("changes", [{}, {"image_size": 11}, {"classes": "cat,ant"}])
def test_a_streamed_folder_or_zip_is_the_one_in_memory(class_folder, tmp_path, changes):
    for source in (class_folder, zipped(class_folder, tmp_path / "a.zip")):
        assert_same(load(source, **changes), load(source, "memory", **changes))


def test_splits_and_flat_folders(class_folder, tmp_path):
    assert_same(load(class_folder / "ant"), load(class_folder / "ant", "memory"))
    (tmp_path / "split").mkdir()
    class_folder.rename(tmp_path / "split" / "train")
    for name in ("ant", "bee", "cat"):
        (tmp_path / "split" / "val" / name).mkdir(parents=True)
        (tmp_path / "split" / "val" / name / "x.png").write_bytes(image_bytes(9))
    assert_same(load(tmp_path / "split"), load(tmp_path / "split", "memory"))


@pytest.mark.parametrize("classes", ["all", "n03,n02"])
def test_streamed_tiny_imagenet(tiny_zip, tmp_path, classes):
    with zipfile.ZipFile(tiny_zip) as archive:
        archive.extractall(tmp_path / "unpacked")
    for source in (tiny_zip, tmp_path / "unpacked"):
        assert_same(load(source, classes=classes), load(source, "memory", classes=classes))


def test_worker_processes(class_folder):
    data = load(class_folder, workers=2)
    assert_same(data, load(class_folder, "memory"))
    expected = everything(load(class_folder, "memory").train.images)
    images = data.train.images
    parts = list(torch.arange(len(images)).split(3))
    abandoned = images.batches(parts)
    assert torch.equal(next(abandoned), expected[:3])
    assert torch.equal(everything(images), expected)
    # It goes on where it was, and so do two by turns.
    assert torch.equal(next(abandoned), expected[3:6])
    for batch, other in zip(abandoned, images.batches(parts[2:]), strict=True):
        assert torch.equal(batch, other)
    (class_folder / data.train.names[4]).write_text("no image")
    with pytest.raises(UserError, match=rf"cannot decode {data.train.names[4]} \(not an image\)"):
        everything(images)
    assert torch.equal(images.take(torch.arange(3)), expected[:3])


def test_worker_processes_where_none_is_prepared(class_folder, monkeypatch):
    """As on Windows."""
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    data = load(class_folder, workers=1)
    assert_same(data, load(class_folder, "memory"))


@settings(max_examples=25)
@given(
    rows=st.lists(st.integers(0, 9), max_size=12),
    parts=st.lists(st.lists(st.integers(0, 11), max_size=9), max_size=5),
    stop_after=st.integers(0, 5),
)
def test_any_parts_of_any_subset(tmp_path_factory, rows, parts, stop_after):
    folder = tmp_path_factory.getbasetemp() / "any"
    if not folder.exists():
        folder.mkdir()
        for i in range(12):
            (folder / f"{i}.png").write_bytes(image_bytes(i))
    ours, theirs = (load(folder, how).train.images for how in ("stream", "memory"))
    if rows:
        wanted = torch.tensor(rows) % len(ours)
        ours, theirs = ours.select(wanted), theirs.select(wanted)
    indices = [torch.tensor(part, dtype=torch.int64) % len(ours) for part in parts]
    for _, batch in zip(range(stop_after), ours.batches(indices), strict=False):
        assert batch.dtype == torch.uint8
    given_out = list(ours.to(torch.device("cpu")).batches(indices))
    assert len(given_out) == len(indices)
    for batch, expected in zip(given_out, theirs.batches(indices), strict=True):
        assert torch.equal(batch, expected)


def workers() -> list[int]:
    """Processes that decode, and what starts them."""
    started = [pid for pid in children_of(os.getpid()) if children_of(pid)]
    found = started + [child for pid in started for child in children_of(pid)]
    assert len(found) > 2
    return found


def send(signal_name: str, pids: list[int]) -> None:
    """As another process sends it, such as a scheduler."""
    subprocess.run(["kill", f"-{signal_name}", *map(str, pids)], check=True)
    time.sleep(0.5)


@pytest.fixture
def many(tmp_path, monkeypatch):
    """More than workers decode ahead, and of chunks larger than a pipe holds."""
    monkeypatch.setattr("deepstdp.data.streamed._CHUNK_IMAGES", 2)
    for i in range(30):
        (tmp_path / f"{i:02}.png").write_bytes(image_bytes(i, size=200))
    return tmp_path


def test_workers_that_are_told_to_stop_are_started_again(many):
    """The run has a step to finish."""
    images = load(many, workers=2).train.images
    batches = images.batches(list(torch.arange(len(images)).split(2)))
    found = [next(batches)]
    send("TERM", workers())
    with pytest.warns(UserWarning, match="decodes images died: starting others"):
        found += batches
    assert torch.equal(torch.cat(found), everything(load(many).train.images))


@pytest.mark.slow
def test_workers_that_are_killed_are_started_again_once_a_pass(many):
    images = load(many, workers=2).train.images
    expected = everything(load(many).train.images)
    parts = list(torch.arange(len(images)).split(2))
    assert torch.equal(torch.cat(list(images.batches(parts))), expected)
    send("KILL", workers())  # between two passes
    batches = images.batches(parts)
    with pytest.warns(UserWarning, match="starting others"):
        next(batches)
    for _ in range(6):  # more than were decoded ahead
        next(batches)
    send("KILL", workers())
    with pytest.raises(UserError, match=r"died twice .*give fewer --data\.workers"):
        list(batches)
    assert torch.equal(everything(images), expected)


def test_a_batch_larger_than_a_chunk_is_put_together(class_folder, monkeypatch):
    monkeypatch.setattr("deepstdp.data.streamed._CHUNK_IMAGES", 4)
    images = load(class_folder).train.images
    expected = everything(load(class_folder, "memory").train.images)
    assert torch.equal(images.take(torch.arange(len(images))), expected)


def test_a_damaged_file_is_named_when_it_comes_or_left_out_before(class_folder):
    (class_folder / "bee" / "3.png").write_bytes(image_bytes(3)[:200])
    (class_folder / "cat" / "4.png").write_text("no image")
    data = load(class_folder)
    with pytest.raises(UserError, match=r"cannot decode (bee/3|cat/4)\.png .*--data.on_error skip"):
        everything(data.train.images), everything(data.val.images)
    skipping = load(class_folder, on_error="skip")
    assert skipping.skipped == ["bee/3.png", "cat/4.png"]
    assert len(skipping.train) == len(skipping.train.images) == 22
    assert_same(skipping, load(class_folder, "memory", on_error="skip"))


def test_the_first_file_sets_the_shape(class_folder):
    (class_folder / "ant" / "0.png").write_text("no image")
    with pytest.raises(UserError, match=r"cannot decode ant/0\.png"):
        load(class_folder)
    assert load(class_folder, on_error="skip").train.images.shape == (3, 16, 16)
    for file in class_folder.rglob("*.png"):
        file.write_text("no image")
    with pytest.raises(UserError, match="none of the 30 image files can be decoded"):
        load(class_folder, on_error="skip")
    with pytest.raises(UserError, match="none of the 30 image files can be decoded"):
        load(class_folder, on_error="skip", image_size=8)


def test_an_image_of_another_size(class_folder):
    (class_folder / "cat" / "2.png").write_bytes(image_bytes(1, 20))
    message = r"differ in size \(16x16, but cat/2.png is 20x20\): give --data.image_size"
    data = load(class_folder)
    with pytest.raises(UserError, match=message):
        everything(data.train.images), everything(data.val.images)
    with pytest.raises(UserError, match=message):
        load(class_folder, on_error="skip")
    assert_same(load(class_folder, image_size=8), load(class_folder, "memory", image_size=8))


def test_what_is_too_large_for_memory_is_streamed(class_folder):
    size = 30 * 3 * 16 * 16 / 1e9
    for memory_gb, kind in ((size * 0.99, Streamed), (size * 1.01, InMemory)):
        for image_size in (None, 16):
            data = load(class_folder, "auto", memory_gb=memory_gb, image_size=image_size)
            assert isinstance(data.train.images, kind)
    assert isinstance(load("digits", "stream").train.images, InMemory)


def test_a_cut_or_encrypted_zip(class_folder, tmp_path):
    path = zipped(class_folder, tmp_path / "a.zip")
    data = load(path)
    content = bytearray(path.read_bytes())
    content[1000:9000] = bytes(8000)
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot decode"):
        everything(data.train.images)
    content = bytearray(zipped(class_folder, path).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip is encrypted"):
        load(path)


@pytest.mark.parametrize("shape", [(12, 9, 7), (12, 9, 7, 3), (12, 3, 9, 7)])
def test_a_mapped_array_is_the_one_in_memory(shape, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    for size in (None, 6):
        data = load(path, image_size=size)
        assert isinstance(data.train.images, Mapped)
        assert_same(data, load(path, "memory", image_size=size))
        images = data.val.images.select(torch.tensor([1, 0]))
        assert torch.equal(images.take(torch.tensor([1])), data.val.images.take(torch.tensor([0])))
    assert isinstance(load(path, "auto", memory_gb=1e-9).train.images, Mapped)
    assert isinstance(load(path, "auto").train.images, InMemory)


def test_arrays_that_cannot_be_streamed(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((4, 8, 8)))
    np.savez(tmp_path / "z.npz", images=np.zeros((4, 8, 8), np.uint8))
    for name in ("f.npy", "z.npz"):
        with pytest.raises(UserError, match=rf"{name} cannot be streamed: .*--data.loading memory"):
            load(tmp_path / name)
        assert isinstance(load(tmp_path / name, "auto", memory_gb=1e-9).train.images, InMemory)


@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1)))
def test_packed_paths_are_the_names(names):
    root = Path("/root")
    reader = pickle.loads(pickle.dumps(PathReader(root, names)))
    assert [reader.path(i) for i in range(len(names))] == [root / name for name in names]


def test_a_run_on_streamed_images_is_the_same_run(class_folder, tmp_path):
    metrics = []
    for loading in ("stream", "memory"):
        config = Config(
            data=DataConfig(source=str(class_folder / "ant"), loading=loading, workers=0),
            clustering=ClusteringConfig(method="kmeans", n_clusters=3),
            training=TrainingConfig(epochs=1, batch_size=3),
        )
        run = run_experiment(config, tmp_path / loading)
        metrics.append([{k: v for k, v in m.items() if "seconds" not in k} for m in run.metrics()])
    assert metrics[0] == metrics[1]


@pytest.mark.slow
def test_a_script_needs_no_main_guard(class_folder, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import torch\n"
        "from deepstdp.config import DataConfig\n"
        "from deepstdp.data import load_dataset\n"
        f"config = DataConfig(source={str(class_folder)!r}, loading='stream', workers=2)\n"
        "print(load_dataset(config, 0).train.images.take(torch.arange(3)).shape)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "torch.Size([3, 3, 16, 16])\n", done.stderr
    assert done.stderr == ""
