"""Files of tensors as somebody would make them who knows the format: changed, checksum and all.

Random damage never gets past the checksum, which guards against accidents and not against people.
"""

import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load
from torch import Tensor

from benchmarks.fuzz.mutate import mutated
from deepstdp.files import Record, save_tensors

_ATTEMPTS = 50
"""To damage a record so that it is JSON still."""

_EXTREMES = (0.0, -1.0, 1e30, float("inf"), float("nan"))


def resealed(content: bytes, rng: np.random.Generator) -> bytes:
    """What ``save_tensors`` would have written of other tensors, or of another record.

    Args:
        content: a file of ``save_tensors``.
        rng: of the changes.
    """
    tensors, info = load(content), _info(content)
    if rng.random() < 0.5:
        info = _changed_record(info, rng)
    else:
        name = list(tensors)[int(rng.integers(len(tensors)))]
        change = _CHANGES[int(rng.integers(len(_CHANGES)))]
        value = change(tensors.pop(name), rng)
        tensors |= {} if value is None else {name: value}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        save_tensors(path, tensors, info)
        return path.read_bytes()


def _info(content: bytes) -> Record:
    (length,) = struct.unpack("<Q", content[:8])
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    return json.loads(metadata["deepstdp"])["info"]


def _changed_record(info: Record, rng: np.random.Generator) -> Record:
    for _ in range(_ATTEMPTS):
        try:
            changed = json.loads(mutated(json.dumps(info).encode(), rng))
        except (ValueError, RecursionError):
            continue
        if isinstance(changed, dict):
            return changed
    return info


def _without(value: Tensor, rng: np.random.Generator) -> None:
    """No such tensor."""


def _shorter(value: Tensor, rng: np.random.Generator) -> Tensor:
    return value[: len(value) // 2] if value.ndim else value


def _flat(value: Tensor, rng: np.random.Generator) -> Tensor:
    return value.reshape(-1)


def _turned(value: Tensor, rng: np.random.Generator) -> Tensor:
    return value.transpose(0, -1) if value.ndim > 1 else value


def _of_another_type(value: Tensor, rng: np.random.Generator) -> Tensor:
    kinds = (torch.int8, torch.int64, torch.float16, torch.float64, torch.bool)
    return value.nan_to_num().to(kinds[int(rng.integers(len(kinds)))])


def _extreme(value: Tensor, rng: np.random.Generator) -> Tensor:
    extreme = _EXTREMES[int(rng.integers(len(_EXTREMES)))]
    if not value.dtype.is_floating_point:
        extreme = float(rng.choice([0, -1, 2**20]))
    where = torch.from_numpy(np.asarray(rng.random(tuple(value.shape)) < rng.random()))
    return torch.where(where, torch.full_like(value, extreme), value)


_CHANGES: tuple[Callable[[Tensor, np.random.Generator], Tensor | None], ...] = (
    _without,
    _shorter,
    _flat,
    _turned,
    _of_another_type,
    _extreme,
)
