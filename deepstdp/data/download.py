"""Official archives of images, fetched once: checked, and resumed where a connection broke."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from deepstdp.errors import UserError
from deepstdp.files import put_in_place
from deepstdp.progress import SILENT, Progress


@dataclass(frozen=True)
class Archive:
    """A file that anybody can fetch.

    Attributes:
        file: its name here.
        url: where it is.
        md5: that its publishers give; it tells damage and other versions.
        terms: under which its images may be used.
    """

    file: str
    url: str
    md5: str
    terms: str


_MEDMNIST = "https://zenodo.org/records/10519652/files/{}?download=1"
_CC_BY = "CC BY 4.0 (MedMNIST v2)"

ARCHIVES = {
    "tiny-imagenet-200": Archive(
        "tiny-imagenet-200.zip",
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        "90528d7ca1a48142e341f4ef8d21d0de",
        "the terms of ImageNet: research and teaching",
    ),
    "bloodmnist": Archive(
        "bloodmnist.npz",
        _MEDMNIST.format("bloodmnist.npz"),
        "7053d0359d879ad8a5505303e11de1dc",
        _CC_BY,
    ),
    "pathmnist": Archive(
        "pathmnist.npz",
        _MEDMNIST.format("pathmnist.npz"),
        "a8b06965200029087d5bd730944a56c1",
        _CC_BY,
    ),
}

_ATTEMPTS = 5
_TIMEOUT = 30.0
_PIECE = 2**20

_MOST_BYTES = 2**32
"""Of an archive; a server could send for ever."""


def download(
    archive: Archive, folder: Path, progress: Progress = SILENT, pause: float = 2.0
) -> Path:
    """Fetch an archive, or find that it is there already.

    What has come before a connection broke is kept as ``<file>.part``, and the next attempt, in
    this call or a later one, asks for the rest. The file gets its name once it is whole.

    Args:
        archive: which one.
        folder: where to.
        progress: follows the bytes.
        pause: seconds before the second attempt; they double with each one.

    Raises:
        UserError: the server cannot be reached or has another file, or one is here by that name.
    """
    target = folder / archive.file
    if target.exists():
        if _md5(target) == archive.md5:
            return target
        raise UserError(f"{target} is not what {archive.url} should hold: move it away")
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    was_resumed = part.exists()
    _fetch(archive.url, part, progress, pause)
    if _md5(part) != archive.md5 and was_resumed:  # perhaps of two versions, or of a crash
        part.unlink()
        _fetch(archive.url, part, progress, pause)
    if (found := _md5(part)) != archive.md5:
        part.unlink()
        raise UserError(
            f"{archive.url} gave another file: its MD5 is {found}, not {archive.md5}; nothing is "
            "kept"
        )
    put_in_place(part, target)
    return target


def _fetch(url: str, part: Path, progress: Progress, pause: float) -> None:
    """Bring ``part`` to its full length, in several attempts if need be."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _fetch_rest(url, part, progress)
        except HTTPError as error:
            if error.code < 500:  # asking again would not help
                raise UserError(f"{url}: {error.code} {error.reason}") from None
            reason: object = f"{error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error or type(error).__name__
        else:
            return
        if attempt < _ATTEMPTS:
            time.sleep(pause * 2 ** (attempt - 1))
    kept = f"; {part.stat().st_size} bytes are kept for the next try" if part.exists() else ""
    raise UserError(f"{url} cannot be fetched ({reason}){kept}")


def _fetch_rest(url: str, part: Path, progress: Progress) -> None:
    begun = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={begun}-"} if begun else {}
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)
    except HTTPError as error:
        if error.code == 416 and begun:  # there is no rest, as far as the server knows
            return
        raise
    with response:
        if response.status != 206:  # a server that sends everything whatever it is asked
            begun = 0
        with part.open("ab" if begun else "wb") as file:
            pieces = progress.track(_pieces(response), f"fetching {part.stem} (MiB)")
            for piece in pieces:
                file.write(piece)
                if file.tell() > _MOST_BYTES:
                    part.unlink()
                    most = f"{_MOST_BYTES / 2**30:.0f} GiB"
                    raise UserError(f"{url} gives more than {most}: nothing is kept")


def _pieces(response: HTTPResponse) -> Iterator[bytes]:
    """What comes, piece by piece.

    Raises:
        HTTPException: less came than was announced.
    """
    announced, n = response.headers.get("Content-Length"), 0
    while piece := response.read(_PIECE):
        n += len(piece)
        yield piece
    if announced is not None and announced.isdecimal() and n < int(announced):
        raise HTTPException(f"the connection broke after {n} of {announced} bytes")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
