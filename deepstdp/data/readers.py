"""Files read by position: what is needed to read them, and nothing that a million names would cost.

A reader is copied into every worker process, so it holds arrays, not lists of strings, and opens
what it reads anew each time: there is no handle that threads or processes could share.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from deepstdp.data.limits import check_file_size

Column = Int64[np.ndarray, "n"]

_LOCAL_HEADER = 30


@runtime_checkable
class Reader(Protocol):
    """Files, numbered from 0; can be pickled."""

    def read(self, position: int) -> bytes:
        """The content of one file."""
        ...


class PathReader:
    """Files by their paths.

    Args:
        root: folder that the names are relative to.
        names: one a file.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        encoded = [os.fsencode(name) for name in names]
        self._root = root
        self._text = b"".join(encoded)
        self._ends = np.cumsum([0, *map(len, encoded)])

    def read(self, position: int) -> bytes:
        """The content of one file."""
        path = self.path(position)
        check_file_size(path.stat().st_size)
        return path.read_bytes()

    def path(self, position: int) -> Path:
        """Where one file is."""
        start, end = self._ends[position : position + 2]
        return self._root / os.fsdecode(self._text[start:end])


@dataclass(frozen=True)
class SliceReader:
    """Files that lie as they are inside larger files.

    Args:
        paths: the larger files.
        container: which of them holds each file.
        offset: where each begins, in bytes.
        size: its length in bytes.
    """

    paths: Sequence[Path]
    container: Column
    offset: Column
    size: Column

    def read(self, position: int) -> bytes:
        """The content of one file."""
        path, size = self.paths[self.container[position]], int(self.size[position])
        return read_slice(path, int(self.offset[position]), size)


@dataclass(frozen=True)
class ZipReader:
    """Members of a zip archive.

    Args:
        path: the archive.
        offset: where each member's header begins, in bytes.
        packed_size: its compressed length.
        size: its length.
        checksum: its CRC-32.
        method: its compression, as zip numbers it.
    """

    path: Path
    offset: Column
    packed_size: Column
    size: Column
    checksum: Column
    method: Column

    def read(self, position: int) -> bytes:
        """The content of one file.

        Raises:
            ValueError: it is damaged or too large.
        """
        size, packed_size = int(self.size[position]), int(self.packed_size[position])
        # The header in front of a member can be longer than its entry in the directory says.
        offset = int(self.offset[position])
        header = read_slice(self.path, offset, _LOCAL_HEADER)
        offset += _LOCAL_HEADER + sum(struct.unpack("<HH", header[-4:]))
        content = read_slice(self.path, offset, packed_size)
        if self.method[position] == zipfile.ZIP_DEFLATED:
            check_file_size(size)
            # One byte more than there are, to see what lies about its length; never all of it.
            try:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
            except zlib.error as error:
                raise ValueError(str(error)) from None
        if len(content) != size or zlib.crc32(content) != self.checksum[position]:
            raise ValueError("its checksum or its length is wrong")
        return content


def read_slice(path: Path, offset: int, size: int) -> bytes:
    """Part of a file.

    Raises:
        EOFError: the file ends before.
        ValueError: this is more than an image may have.
    """
    check_file_size(size)
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    if len(content) < size:
        raise EOFError(f"{path.name} is cut short")
    return content
