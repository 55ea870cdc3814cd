"""How much a file may make of itself: archives and images of strangers can be bombs."""

import zipfile
from pathlib import Path

import numpy as np

from deepstdp.errors import UserError

MOST_FILES = 10_000_000
"""Members of an archive; its list of names is held in memory."""

MOST_FILE_BYTES = 2**26
"""Of one image file or text file, unpacked."""

MOST_PIXELS = 2**26
"""Of one image, before it is resized."""

_MOST_RATIO, _FREE_BYTES = 100, 2**30
"""To how many times its size an archive may unpack, if that is more than a gigabyte."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_members(path: Path) -> list[zipfile.ZipInfo]:
    """The directory of a zip archive, checked before anything is unpacked.

    Raises:
        UserError: no zip archive, an encrypted one, one compressed by other methods than zip's
            own, or one that unpacks to far more than its size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        places = [(m.header_offset, m.compress_size, m.file_size) for m in members]
        np.array(places, dtype=np.int64)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OverflowError) as error:
        raise UserError(f"{path} is not a zip archive, or a damaged one ({error})") from None
    if any(member.flag_bits & 1 for member in members):
        raise UserError(f"{path} is encrypted: unpack it, and give the folder")
    if any(member.compress_type not in _METHODS for member in members):
        raise UserError(f"{path} is not compressed by deflate: unpack it, and give the folder")
    if len(members) > MOST_FILES:
        raise UserError(f"{path} has {len(members)} members, more than {MOST_FILES}: split it")
    size, unpacked = path.stat().st_size, sum(member.file_size for member in members)
    if unpacked > max(_FREE_BYTES, _MOST_RATIO * size):
        raise UserError(
            f"{path} would unpack to {unpacked / 1e9:.1f} GB from {size / 1e6:.1f} MB, as only "
            "bombs do: unpack it yourself if you trust it"
        )
    return members


def check_file_size(size: int) -> None:
    """Refuse to read a file that is too large for an image or a text.

    Raises:
        ValueError: it is.
    """
    if size > MOST_FILE_BYTES:
        raise ValueError(f"{size} bytes, more than an image may have ({MOST_FILE_BYTES})")
