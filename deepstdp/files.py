"""Files that are whole or not there: JSON, CSV and safetensors; nothing is ever pickled."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from deepstdp.errors import UserError

Tensors = dict[str, Tensor]
Record = dict[str, Any]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that appears complete or not at all, even after a power cut."""
    with whole(path) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that is to appear as ``path`` once it is complete and on the disk."""
    unfinished = path.with_name(path.name + ".tmp")
    yield unfinished
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_atomically(path, (json.dumps(record, indent=2) + "\n").encode())


def save_tensors(path: Path, tensors: Tensors, info: Record) -> None:
    """Write named tensors, with a JSON record in the header."""
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    write_atomically(path, save(contiguous, metadata={"info": json.dumps(info)}))


def load_tensors(path: Path, device: str = "cpu") -> tuple[Tensors, Record]:
    """Read what ``save_tensors`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt", device=device) as file:
            info = json.loads((file.metadata() or {}).get("info", "{}"))
            return {key: file.get_tensor(key) for key in file.keys()}, info  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError) as error:
        raise UserError(f"{path} is damaged ({error})") from None


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
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([key, column])
    writer.writerows(zip(names, labels.tolist(), strict=True))
    # File names may be any bytes: write them as they were read.
    return buffer.getvalue().encode("utf-8", "surrogateescape")
