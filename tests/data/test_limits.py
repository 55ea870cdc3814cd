"""Files that would make more of themselves than they should."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from deepstdp.config import DataConfig
from deepstdp.data import load_dataset
from deepstdp.data.decode import decode
from deepstdp.data.feature_file import read_features
from deepstdp.data.file_tree import image_names, open_tree, read_text
from deepstdp.data.limits import zip_members
from deepstdp.errors import UserError
from tests.helpers import image_bytes

DIRECTORY = b"PK\x01\x02"
UNPACKED = 24
"""Where the unpacked length stands in a member's entry in the directory."""


def archive(path, content=b"0" * 1000, method=zipfile.ZIP_DEFLATED, name="a/0.png"):
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(name, content)
    return path


def claim(path, size):
    """Let a member say that it unpacks to another length."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(DIRECTORY) + UNPACKED, size)
    path.write_bytes(content)
    return path


def test_an_archive_that_claims_too_much(tmp_path):
    path = claim(archive(tmp_path / "a.zip"), 2**31)
    with pytest.raises(UserError, match=r"would unpack to 2.1 GB from 0.0 MB"):
        open_tree(path)
    with pytest.raises(UserError, match="would unpack"):
        load_dataset(DataConfig(source=str(path)), 0)
    (tmp_path / "a.npz").write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="would unpack"):
        read_features(tmp_path / "a.npz")
    with pytest.raises(UserError, match="would unpack"):
        load_dataset(DataConfig(source=str(tmp_path / "a.npz")), 0)


@pytest.mark.parametrize("size", [10, 999, 1001, 2**20])
def test_an_archive_that_lies_about_a_length(tmp_path, size):
    path = claim(archive(tmp_path / "a.zip", name="a.txt"), size)
    with pytest.raises(UserError, match=r"a.txt cannot be read \(its checksum or its length"):
        read_text(open_tree(path), "a.txt")


def test_a_member_is_never_unpacked_beyond_what_it_claims(tmp_path, monkeypatch):
    path = claim(archive(tmp_path / "a.zip", b"\0" * 2**24, name="a.txt"), 10)
    inflated = []

    class Watched:
        def __init__(self, *args):
            self._object = inflater(*args)

        def decompress(self, content, most):
            inflated.append(len(found := self._object.decompress(content, most)))
            return found

    inflater = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(UserError, match="cannot be read"):
        read_text(open_tree(path), "a.txt")
    assert inflated == [11]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_output_has_no_bound_are_refused(tmp_path, method):
    with pytest.raises(UserError, match="not compressed by deflate"):
        open_tree(archive(tmp_path / "a.zip", method=method))


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr("deepstdp.data.limits.MOST_FILES", 0)
    with pytest.raises(UserError, match="1 members, more than 0"):
        zip_members(archive(tmp_path / "a.zip"))


def test_a_file_that_is_too_large_for_an_image(tmp_path):
    for name in "ab":
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(2):
            (tmp_path / "pictures" / name / f"{i}.png").write_bytes(image_bytes(i))
    with (tmp_path / "pictures" / "a" / "2.png").open("wb") as file:
        file.truncate(2**26 + 1)
    with pytest.raises(UserError, match=r"a/2.png \(67108865 bytes, more than an image may have"):
        load_dataset(DataConfig(source=str(tmp_path / "pictures")), 0)


def png(width, height, mode="1"):
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_image_of_too_many_pixels_is_not_decoded(monkeypatch):
    content = bytearray(png(8, 8))
    struct.pack_into(">II", content, 16, 9_000, 9_000)
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match="9000 x 9000 pixels, more than"):
        decode(bytes(content), 8)


def test_a_long_and_thin_image_is_not_blown_up():
    with pytest.raises(ValueError, match="9000000 x 1 pixels are too long and thin"):
        decode(png(9_000_000, 1), 8)
    assert decode(png(9_000, 1), 8).shape == (3, 8, 8)


def test_only_image_formats_that_are_asked_for_are_tried():
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"
    with pytest.raises(OSError, match="cannot identify"):
        decode(postscript, 8)


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}, None]), allow_pickle=True)
    np.savez(tmp_path / "a.npz", features=np.array([{}, None]))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UserError, match="cannot be read as a NumPy file"):
            read_features(tmp_path / name)


def test_what_files_say_cannot_break_the_line():
    error = UserError("a\nb\x1b[2J\u202e\udcff")
    assert str(error) == r"a\nb\x1b[2J\u202e\udcff"


def test_members_without_a_name_are_passed_over(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(".", b"x")
        file.writestr("a/1.png", b"x")
        file.writestr("b/1.png", b"x")
    assert image_names(open_tree(path)) == ["a/1.png", "b/1.png"]


def test_members_of_an_npz_that_are_no_arrays(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("features.txt", b"x")
    with pytest.raises(UserError, match="is no array"):
        read_features(tmp_path / "a.npz")
