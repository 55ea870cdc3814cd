"""Files that are whole or not there: JSON, CSV and safetensors; nothing is ever pickled."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from deepstdp.errors import UserError

Tensors = dict[str, Tensor]
Record = dict[str, Any]

MOST_RECORD_BYTES = 1 << 26
"""Of a file of JSON: of a stranger it could be of any size."""

MISFITS = (
    *(KeyError, IndexError, AttributeError, TypeError),
    *(ValueError, RuntimeError, OverflowError, MemoryError),
)
"""What a file raises that is whole but holds other things than it should."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that appears complete or not at all, even after a power cut."""
    with whole(path) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that is to appear as ``path`` once it is complete and on the disk."""
    unfinished = path.with_name(path.name + ".tmp")
    try:
        yield unfinished
        put_in_place(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)  # of a full disk it would keep the rest
        raise


def put_in_place(unfinished: Path, path: Path) -> None:
    """Rename a file that is complete, once its content is on the disk."""
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if there are none; they outlive a power cut."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """So that the new name too outlives a power cut; Windows has no such thing, and no need."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_atomically(path, (json.dumps(record, indent=2) + "\n").encode())


def require_file(path: Path) -> None:
    """Check that what is at a path can be read to its end: a pipe or a device may have none.

    Raises:
        UserError: there is something else than a file. (That nothing is there, reading says.)
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file")


def read_json(path: Path) -> Record:
    """Read a JSON file that holds one object.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    return parse_json(read_record(path), path)


def read_record(path: Path) -> bytes:
    """What a file of records holds.

    Raises:
        UserError: it cannot be read, or is larger than any record.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_RECORD_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    if len(content) > MOST_RECORD_BYTES:
        most = MOST_RECORD_BYTES >> 20
        raise UserError(f"{path} is larger than {most} MiB, which no record of deepstdp is")
    return content


def parse_json(content: str | bytes, path: Path) -> Record:
    """A JSON object that was read from a file.

    Raises:
        UserError: it is none.
    """
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON, or damaged ({error})") from None
    if not isinstance(record, dict):
        raise UserError(f"{path} holds no JSON object")
    return record


def checksum_of_files(paths: Iterable[Path]) -> str:
    """SHA-256 of the SHA-256 of each file, which are not held in memory.

    Raises:
        OSError: one cannot be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def save_tensors(path: Path, tensors: Tensors, info: Record) -> None:
    """Write named tensors, with a JSON record and a checksum of everything in the header."""
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    # One entry: safetensors writes several in any order, and equal files are to be equal bytes.
    header = {"sha256": _checksum(contiguous, info), "info": info}
    write_atomically(path, save(contiguous, metadata={"deepstdp": json.dumps(header)}))


def load_tensors(path: Path, device: str = "cpu") -> tuple[Tensors, Record]:
    """Read what ``save_tensors`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: the file is damaged.
    """
    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["deepstdp"])
            if not isinstance(header["info"], dict):
                raise ValueError("its header holds no record")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        is_whole = header["sha256"] == _checksum(tensors, header["info"])
    except KeyError:
        raise UserError(f"{path} was not written by this version of deepstdp") from None
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    if not is_whole:
        raise UserError(f"{path} is damaged (its checksum is wrong)")
    return {name: value.to(device) for name, value in tensors.items()}, header["info"]


def require_real(name: str, value: Any, *shape: int | None) -> None:
    """Check a tensor that a file holds, before compiled code trusts its shape.

    Args:
        name: for the error.
        value: to be of real numbers.
        shape: to be had; None is any length.

    Raises:
        ValueError: it is something else (see ``MISFITS``).
    """
    is_real = isinstance(value, torch.Tensor) and value.is_floating_point()
    fits = is_real and len(shape) == value.ndim
    if not fits or any(n not in (None, m) for n, m in zip(shape, value.shape, strict=True)):
        found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise ValueError(f"{name} should be real numbers of shape {shape}, and is {found}")


def _checksum(tensors: Tensors, info: Record) -> str:
    """SHA-256 of names, types, shapes and bytes, and of the record."""
    digest = hashlib.sha256(json.dumps(info).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def prefixed(prefix: str, tensors: Tensors) -> Tensors:
    """Names with a prefix, so that several parts share a file."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def unprefixed(prefix: str, tensors: Tensors) -> Tensors:
    """The tensors of one part."""
    start = f"{prefix}."
    return {n.removeprefix(start): v for n, v in tensors.items() if n.startswith(start)}


def labels_csv(
    column: str, names: Iterable[str], labels: Int64[np.ndarray, "n"], key: str = "image"
) -> bytes:
    """Two columns: what is labelled, and its label."""
    buffer = io.StringIO()
    plain = csv.writer(buffer, lineterminator="\n")
    quoted = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    plain.writerow([key, column])
    for name, label in zip(names, labels.tolist(), strict=True):
        # A carriage return ends a line for readers, and the writer does not know it.
        (quoted if "\r" in name else plain).writerow([name, label])
    # File names may be any bytes: write them as they were read.
    return buffer.getvalue().encode("utf-8", "surrogateescape")
