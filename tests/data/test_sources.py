import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from deepstdp.config import DataConfig
from deepstdp.data import load_dataset
from deepstdp.errors import UserError
from tests.helpers import image_bytes


def load(source, **settings):
    settings = {"image_size": None} | settings
    return load_dataset(DataConfig(source=str(source), **settings), seed=0)


def test_digits_are_split_at_random_and_scaled():
    data = load("digits", image_size=16)
    assert data.train.images.tensor.shape == (1438, 1, 16, 16)
    assert len(data.val) == 359
    assert not set(data.train.names) & set(data.val.names)
    assert data.class_names == [str(i) for i in range(10)]
    assert load("digits").train.images.tensor.max() == 255
    other = load_dataset(DataConfig(image_size=None), seed=1)
    assert other.train.names != data.train.names


def test_some_digits_are_numbered_from_zero():
    data = load("digits", classes="3,7")
    assert data.class_names == ["3", "7"]
    assert set(np.unique(data.train.labels)) == {0, 1}


def test_class_folder(class_folder):
    data = load(class_folder)
    assert data.class_names == ["ant", "bee", "cat"]
    assert (len(data.train), len(data.val)) == (24, 6)
    for part in (data.train, data.val):
        for name, label in zip(part.names, part.labels, strict=True):
            assert name.startswith(data.class_names[label] + "/")


def test_zip_of_a_class_folder_is_the_same(class_folder, tmp_path):
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(class_folder.rglob("*.png")):
            archive.write(file, file.relative_to(class_folder.parent))
    ours, theirs = load(path), load(class_folder)
    assert torch.equal(ours.train.images.tensor, theirs.train.images.tensor)
    assert ours.train.names == theirs.train.names


def test_split_folders_are_kept(class_folder, tmp_path):
    root = tmp_path / "split"
    root.mkdir()
    class_folder.rename(root / "train")
    for name in ("ant", "bee", "cat"):
        (root / "val" / name).mkdir(parents=True)
        (root / "val" / name / "x.png").write_bytes(image_bytes(9))
    data = load(root)
    assert (len(data.train), len(data.val)) == (30, 3)
    assert data.val.labels.tolist() == [0, 1, 2]


def test_flat_folder_has_no_labels(class_folder):
    data = load(class_folder / "ant")
    assert data.class_names is None
    assert data.train.labels is None
    assert len(data.train) + len(data.val) == 10
    with pytest.raises(UserError, match="has no classes"):
        load(class_folder / "ant", classes="first-2")


def test_tiny_imagenet_zip_and_folder(tiny_zip, tmp_path):
    data = load(tiny_zip)
    assert data.class_names == ["goldfish", "newt (n02)", "newt (n03)", "n04"]
    assert (len(data.train), len(data.val)) == (32, 8)
    assert np.bincount(data.val.labels).tolist() == [2, 2, 2, 2]
    for name, label in zip(data.train.names, data.train.labels, strict=True):
        assert f"train/n0{label + 1}/" in name
    with zipfile.ZipFile(tiny_zip) as archive:
        archive.extractall(tmp_path / "unpacked")
    for folder in ("unpacked", "unpacked/tiny-imagenet-200"):
        assert torch.equal(load(tmp_path / folder).train.images.tensor, data.train.images.tensor)
    assert load(tiny_zip, classes="first-2").class_names == ["goldfish", "newt"]


def test_the_first_image_of_tiny_imagenet_is_decoded_right(tiny_zip):
    data = load(tiny_zip, classes="n01,n02")
    from PIL import Image

    with (
        zipfile.ZipFile(tiny_zip) as archive,
        archive.open(f"tiny-imagenet-200/{data.train.names[0]}") as file,
    ):
        expected = np.asarray(Image.open(file).convert("RGB"))
    assert np.array_equal(data.train.images.tensor[0].permute(1, 2, 0).numpy(), expected)


def test_arrays(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 9, 9, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", images)
    data = load(tmp_path / "a.npy")
    assert data.train.images.tensor.shape[1:] == (3, 9, 9)
    assert data.train.labels is None
    gray = images[..., 0]
    np.savez(tmp_path / "b.npz", images=gray / 255.0, labels=np.arange(12)[:, None] % 3)
    data = load(tmp_path / "b.npz")
    assert data.train.images.tensor.shape[1:] == (1, 9, 9)
    assert data.class_names == ["0", "1", "2"]
    index = int(data.train.names[0].split("-")[1])
    assert np.array_equal(data.train.images.tensor[0, 0].numpy(), gray[index])
    np.savez(
        tmp_path / "c.npz",
        train_images=images,
        train_labels=np.arange(12) % 2 + 5,
        test_images=images[:4],
        test_labels=np.array([5, 6, 5, 6]),
    )
    data = load(tmp_path / "c.npz")
    assert (len(data.train), len(data.val)) == (12, 4)
    assert data.class_names == ["5", "6"]
    assert data.val.labels.tolist() == [0, 1, 0, 1]


def bad_zip(tmp_path: Path) -> Path:
    (tmp_path / "bad.zip").write_text("no zip")
    return tmp_path / "bad.zip"


def one_class(tmp_path: Path) -> Path:
    (tmp_path / "one" / "only").mkdir(parents=True)
    (tmp_path / "one" / "only" / "1.png").write_bytes(image_bytes(1))
    return tmp_path / "one"


def empty(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def two_sizes(tmp_path: Path) -> Path:
    (tmp_path / "sizes").mkdir()
    for size in (8, 9):
        (tmp_path / "sizes" / f"{size}.png").write_bytes(image_bytes(1, size))
    return tmp_path / "sizes"


def pickled(tmp_path: Path) -> Path:
    np.save(tmp_path / "p.npy", np.array([{}], dtype=object), allow_pickle=True)
    return tmp_path / "p.npy"


def floats(tmp_path: Path) -> Path:
    np.save(tmp_path / "f.npy", np.full((3, 4, 4), 7.5))
    return tmp_path / "f.npy"


def vectors(tmp_path: Path) -> Path:
    np.save(tmp_path / "v.npy", np.zeros((3, 4), np.uint8))
    return tmp_path / "v.npy"


def wrong_labels(tmp_path: Path) -> Path:
    np.savez(tmp_path / "w.npz", images=np.zeros((3, 4, 4), np.uint8), labels=np.arange(2))
    return tmp_path / "w.npz"


def no_images(tmp_path: Path) -> Path:
    np.savez(tmp_path / "n.npz", foo=np.zeros(3))
    return tmp_path / "n.npz"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nowhere", "does not exist"),
        (bad_zip, "not a zip archive"),
        (one_class, r"only 1 class selected \(only\)"),
        (empty, "holds no images"),
        (two_sizes, "differ in size .*--data.image_size"),
        (pickled, "cannot be read as a NumPy file"),
        (floats, r"lie in \[0, 1\]"),
        (vectors, "images must be"),
        (wrong_labels, "labels must be 3 whole numbers"),
        (no_images, "no array 'images', only foo"),
    ],
)
def test_bad_sources(make, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load(make(tmp_path))


def test_a_corrupt_image_is_named_or_skipped(class_folder):
    (class_folder / "bee" / "3.png").write_bytes(image_bytes(3)[:200])
    (class_folder / "cat" / "4.png").write_text("no image")
    with pytest.raises(UserError, match=r"bee/3\.png.*--data.on_error skip"):
        load(class_folder)
    data = load(class_folder, on_error="skip")
    assert data.skipped == ["bee/3.png", "cat/4.png"]
    assert len(data.train) + len(data.val) == 28
    for part in (data.train, data.val):
        for name, label in zip(part.names, part.labels, strict=True):
            assert name.startswith(data.class_names[label] + "/")


def test_images_are_scaled_and_cut_to_size(tmp_path):
    from PIL import Image

    (tmp_path / "w").mkdir()
    for i in range(3):
        pixels = np.zeros((20, 60, 3), np.uint8)
        pixels[:, 20:40] = 255
        Image.fromarray(pixels).save(tmp_path / "w" / f"{i}.png")
    data = load(tmp_path / "w", image_size=10)
    assert data.train.images.tensor.shape[1:] == (3, 10, 10)
    assert data.train.images.tensor.float().mean() > 240


def test_files_outside_the_class_folders_are_reported(class_folder):
    (class_folder / "loose.png").write_bytes(image_bytes(1))
    data = load(class_folder)
    assert data.skipped == ["loose.png"]
    assert len(data.train) + len(data.val) == 30


def test_a_class_in_val_alone_is_named(class_folder, tmp_path):
    root = tmp_path / "split"
    root.mkdir()
    class_folder.rename(root / "train")
    (root / "val" / "dog").mkdir(parents=True)
    (root / "val" / "dog" / "x.png").write_bytes(image_bytes(9))
    with pytest.raises(UserError, match="class 'dog' is in val but not in train"):
        load(root)


def test_a_zip_with_backslashes(class_folder, tmp_path):
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(class_folder.rglob("*.png")):
            name = zipfile.ZipInfo("x")
            name.filename = str(file.relative_to(class_folder)).replace("/", "\\")
            archive.writestr(name, file.read_bytes())
    assert load(path).class_names == ["ant", "bee", "cat"]


def test_sixteen_bit_gray_is_scaled_not_cut(tmp_path):
    from PIL import Image

    (tmp_path / "deep").mkdir()
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for i in range(2):
        Image.fromarray(ramp).save(tmp_path / "deep" / f"{i}.png")
    images = load(tmp_path / "deep").train.images.tensor
    assert np.array_equal(images[0, 0].numpy(), ramp >> 8)


def test_splits_of_arrays_must_fit_each_other(tmp_path):
    images = np.zeros((4, 8, 8), np.uint8)
    split = {"train_images": images, "test_images": images, "train_labels": np.arange(4) % 2}
    np.savez(tmp_path / "a.npz", **split)
    with pytest.raises(UserError, match="labels for one split only"):
        load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", **split, test_labels=np.array([0, 1, 2, 0]))
    with pytest.raises(UserError, match="label 2 is in validation only"):
        load(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", train_images=images, test_images=images[:, :6])
    with pytest.raises(UserError, match="differ in shape"):
        load(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", images=images, labels=np.array([-1, 0, 1, 2]))
    with pytest.raises(UserError, match="must not be negative"):
        load(tmp_path / "d.npz")


def test_number_classes_of_arrays_may_be_numbers(tmp_path):
    images = np.zeros((240, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(240) % 12)
    assert load(tmp_path / "a.npz", classes=[3, 11]).class_names == ["03", "11"]
