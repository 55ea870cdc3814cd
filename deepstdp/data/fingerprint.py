"""Whether two data sets are the same, told without reading all of them."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from deepstdp.data.image_set import Dataset

_N_LOOKED_AT = 16


def digest_of(names: Sequence[str]) -> str:
    """SHA-256 of names in their order."""
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of both splits' names, labels and sizes, and of the pixels of 16 images of each.

    The same for images in memory and streamed ones. Arrays, whose images have numbers for names,
    are known by those pixels alone.

    Raises:
        UserError: one of these images cannot be decoded any more.
    """
    digest = hashlib.sha256()
    for part in (dataset.train, dataset.val):
        digest.update(f"{digest_of(part.names)} {len(part)} {part.images.shape}".encode())
        rows = torch.linspace(0, len(part) - 1, min(_N_LOOKED_AT, len(part))).long()
        digest.update(part.images.take(rows).cpu().numpy().tobytes())
        if part.labels is not None:
            digest.update(part.labels.astype(np.int64).tobytes())
    return digest.hexdigest()
