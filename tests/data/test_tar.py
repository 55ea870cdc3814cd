import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.data.images import InMemory
from deepstdp.data.shards import expand_braces
from deepstdp.data.tar_tree import TarTree
from deepstdp.data.unlabelled import load_unlabelled
from deepstdp.errors import UserError
from deepstdp.progress import SILENT
from tests.data.test_streamed import assert_same, everything, load
from tests.helpers import image_bytes


def write_tar(path, files, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **settings) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def samples(start, labels, kind="png", folder=""):
    for i, label in enumerate(labels, start):
        yield f"{folder}{i:04d}.{kind}", image_bytes(20 + i)
        if label is not None:
            yield f"{folder}{i:04d}.cls", str(label).encode()


def test_streamed_shards_are_the_ones_in_memory_and_the_class_folder(class_folder, tmp_path):
    files = []
    for path in sorted(class_folder.rglob("*.png")):
        key, name = f"{path.parent.name}-{path.stem}", path.parent.name
        files += [(f"{key}.png", path.read_bytes()), (f"{key}.cls", name.encode() + b"\n")]
        files += [(f"{key}.json", b"{}")]
    write_tar(tmp_path / "all.tar", files)
    folder = load(class_folder, "memory")
    data = load(tmp_path / "all.tar")
    assert_same(data, load(tmp_path / "all.tar", "memory"))
    assert data.class_names == ["ant", "bee", "cat"]
    assert data.train.names[0].startswith("all/ant-")
    assert np.array_equal(data.train.labels, folder.train.labels)
    assert torch.equal(everything(data.train.images), everything(folder.train.images))


def test_a_folder_or_pattern_of_shards(tmp_path):
    for i in range(3):
        write_tar(tmp_path / "s" / f"x-{i:02d}.tar", samples(4 * i, [10, 2, 10, 2]))
    (tmp_path / "s" / ".hidden").write_text("")
    whole, pattern = (load(tmp_path / source) for source in ("s", "s/x-{00..02}.tar"))
    assert_same(whole, load(tmp_path / "s", "memory"))
    assert_same(whole, pattern)
    assert whole.class_names == ["2", "10"]
    every = {
        name: whole.class_names[label]
        for part in (whole.train, whole.val)
        for name, label in zip(part.names, part.labels, strict=True)
    }
    assert len(every) == 12
    assert every["x-01/0004.png"] == "10"
    assert len(load(tmp_path / "s" / "x-{00,02}.tar").train) == 6
    assert load(tmp_path / "s", classes=[2, 10]).class_names == ["2", "10"]


@pytest.mark.parametrize("form", ["{}-0.tar", "{}/0.tar", "{}.tar"])
def test_splits_are_kept(form, tmp_path):
    root = tmp_path / "shards"
    write_tar(root / form.format("train"), samples(0, ["a", "b", "a"]))
    write_tar(root / form.format("val"), samples(0, ["b", "a"]))
    data = load(root)
    assert_same(data, load(root, "memory"))
    stem = form.removesuffix(".tar").format("val")
    assert data.val.names == [f"{stem}/0000.png", f"{stem}/0001.png"]
    assert (len(data.train), data.val.labels.tolist()) == (3, [1, 0])
    write_tar(root / form.format("val"), samples(0, ["b", "c"]))
    with pytest.raises(UserError, match="class 'c' is in val but not in train"):
        load(root)


def test_shards_without_labels(tmp_path):
    path = write_tar(tmp_path / "a.tar", samples(0, [None] * 5))
    data = load(path)
    assert_same(data, load(path, "memory"))
    assert data.class_names is None
    with pytest.raises(UserError, match="has no classes"):
        load(path, classes="first-2")
    (tmp_path / "s").mkdir()
    path.rename(tmp_path / "s" / "train.tar")
    write_tar(tmp_path / "s" / "val.tar", samples(0, [None] * 2))
    assert (len(load(tmp_path / "s").train), len(load(tmp_path / "s").val)) == (5, 2)


def test_what_belongs_to_a_sample(tmp_path):
    files = [
        *samples(0, ["a", "b"], folder="./one.two/"),
        *samples(2, ["b"], kind="JPG"),
        ("0002.seg.png", image_bytes(1)),
        ("._0002.png", b"rubbish"),
        ("../../0009.png", image_bytes(1)),
        ("words.txt", b"hello"),
    ]
    data = load(write_tar(tmp_path / "a.b.tar", files, format=tarfile.GNU_FORMAT), "memory")
    names = {*data.train.names, *data.val.names}
    assert names == {"a.b/one.two/0000.png", "a.b/one.two/0001.png", "a.b/0002.JPG"}


def cut(content):
    return content[: len(content) // 2]


def spoil_second_header(content):
    at = 512 + -(-len(image_bytes(20)) // 512) * 512
    return content[:at] + b"\1" * 512 + content[at + 512 :]


@pytest.mark.parametrize("spoil", [cut, spoil_second_header, lambda c: b"no tar" * 200])
def test_a_damaged_archive(spoil, tmp_path):
    path = write_tar(tmp_path / "a.tar", samples(0, "abcabc"))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=r"a\.tar is no tar archive, or a damaged one") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_damaged_image_and_an_archive_that_is_cut_later(tmp_path):
    files = dict(samples(0, "abcabc")) | {"0003.png": image_bytes(3)[:100]}
    path = write_tar(tmp_path / "a.tar", files.items())
    with pytest.raises(UserError, match=r"cannot decode a/0003\.png"):
        load(path, "memory")
    data = load(path, on_error="skip")
    assert data.skipped == ["a/0003.png"]
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UserError, match=r"cannot decode a/.* \(a\.tar is cut short\)"):
        everything(data.train.images)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "holds no images"),
        (list(samples(0, ["a", "b", None])), r"1 of 3 images have no \.cls"),
        ([*samples(0, "ab"), ("0000.jpg", b"")], "are two images of one sample"),
        ([*samples(0, "ab"), *samples(0, "a")], "two members called 0000.png"),
        ([*samples(0, "ab"), ("0003.png", b""), ("0003.cls", b"\xff")], "not a text file"),
    ],
)
def test_wrong_samples(files, message, tmp_path):
    with pytest.raises(UserError, match=message):
        load(write_tar(tmp_path / "a.tar", files))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a.tar.gz", r"a\.tar\.gz is compressed: decompress"),
        ("packed", r"is compressed: decompress"),
        ("none.tar", "none.tar does not exist"),
        ("s-{0..1}.tar", r"s-1\.tar does not exist"),
        ("s-{0}.tar", r"\{0\} is neither a range"),
        ("s-{3..1}.tar", "is neither a range"),
        ("mixed", "holds no images"),
    ],
)
def test_wrong_sources(source, message, tmp_path):
    for name in ("a.tar.gz", "packed/a.tgz", "s-0.tar", "mixed/a.tar", "mixed/notes.txt"):
        write_tar(tmp_path / name, samples(0, "ab"))
    with pytest.raises(UserError, match=message):
        load(tmp_path / source)


@settings(max_examples=30)
@given(
    contents=st.lists(st.lists(st.binary(max_size=1200), max_size=4), min_size=1, max_size=3),
    form=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    padding=st.integers(0, 200),
)
def test_a_tree_reads_what_was_written(tmp_path_factory, contents, form, padding):
    folder = tmp_path_factory.mktemp("tars")
    written = {}
    for a, members in enumerate(contents):
        names = [f"d/{'n' * padding}{m}" if form else f"d/{m}" for m in range(len(members))]
        write_tar(folder / f"{a}.tar", zip(names, members, strict=True), format=form)
        written |= {f"{a}/{n}": content for n, content in zip(names, members, strict=True)}
    tree = TarTree(sorted(folder.glob("*.tar")), SILENT)
    assert list(tree.names) == sorted(written)
    wanted = list(reversed(tree.names))
    reader = pickle.loads(pickle.dumps(tree.reader(wanted)))
    assert [reader.read(i) for i in range(len(wanted))] == [written[name] for name in wanted]


@given(low=st.integers(0, 200), n=st.integers(1, 30), width=st.integers(1, 6))
def test_braces(low, n, width):
    first, last = f"{low:0{width}d}", f"{low + n - 1:0{width}d}"
    expected = [f"a-{i:0{len(first)}d}-{x}.tar" for i in range(low, low + n) for x in "pq"]
    assert expand_braces(f"a-{{{first}..{last}}}-{{p,q}}.tar") == expected


def test_in_memory_when_it_fits(tmp_path):
    path = write_tar(tmp_path / "a.tar", samples(0, "abab"))
    assert isinstance(load(path, "auto").train.images, InMemory)
    (tmp_path / "tars").mkdir()
    with pytest.raises(UserError, match="holds no images"):
        load(tmp_path / "tars")


def test_new_images_in_shards(tmp_path):
    path = write_tar(tmp_path / "a.tar", [*samples(0, "ab"), ("0000.seg.png", image_bytes(1))])
    images, skipped = load_unlabelled([path], 1, 8, "stop", SILENT)
    assert images.names == [f"{path}/a/0000.png", f"{path}/a/0001.png"]
    assert images.images.shape == (1, 8, 8)
    assert skipped == []
