"""Feature vectors in a file: ``.npy`` (memory-mapped), ``.npz`` or ``.csv``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from deepstdp.data.numpy_file import read_arrays
from deepstdp.errors import UserError, one_line

_FEATURE_KEYS = ("features", "x", "X", "embeddings", "data", "arr_0")
_LABEL_KEYS = ("labels", "y", "targets")

_LONGEST_LINE = 1 << 20
"""Characters of a line that are looked at."""


@dataclass(frozen=True)
class FeatureFile:
    """What a file holds.

    Attributes:
        features: (N, P) numbers, or (N, T, D) spikes.
        labels: (N,) of any kind, for the summary alone; None if there are none.
    """

    features: Shaped[np.ndarray, "..."]
    labels: Shaped[np.ndarray, "n"] | None


def read_features(path: Path, labels_path: Path | None = None) -> FeatureFile:
    """Read features, and labels if the file, or another, has them.

    Raises:
        UserError: a file that is missing or cannot be read, or arrays that do not fit.
    """
    arrays = _read(path)
    key = next((k for k in _FEATURE_KEYS if k in arrays), None)
    if key is None:
        raise UserError(f"{path} has no array 'features', only {', '.join(arrays)}")
    features = arrays[key]
    if features.ndim not in (2, 3) or features.dtype.kind not in "biuf":
        raise UserError(
            f"{path}: expected (N, P) features or (N, T, D) spikes, not "
            f"{features.dtype} of shape {features.shape}"
        )
    if features.size == 0:
        raise UserError(f"{path}: nothing to cluster in features of shape {features.shape}")
    if labels_path is not None:
        arrays = _read(labels_path)
    labels = next((arrays[k] for k in _LABEL_KEYS if k in arrays), None)
    if labels is None and labels_path is not None:
        if not arrays:
            raise UserError(f"{labels_path} is empty")
        labels = next(iter(arrays.values()))
    if labels is not None:
        if labels.size != len(features):
            raise UserError(f"there are {labels.size} labels for {len(features)} samples")
        labels = labels.reshape(-1)
    if features.dtype.kind == "f" and not np.isfinite(np.sum(features, dtype=np.float64)):
        raise UserError(f"{path}: the features contain NaN or infinity")
    if not features.dtype.isnative or features.dtype.itemsize > 8:
        features = features.astype(np.float64)
    return FeatureFile(features, labels)


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise UserError(f"{path} does not exist" if not path.exists() else f"{path} is no file")
    if path.suffix.lower() not in (".csv", ".txt"):
        return read_arrays(path, "features")
    try:
        n_titles = int(_begins_with_titles(path))
        return {"features": np.loadtxt(path, delimiter=",", ndmin=2, skiprows=n_titles)}
    except Exception as error:  # text of any kind
        raise UserError(f"{path} cannot be read as CSV ({one_line(str(error))})") from None


def _begins_with_titles(path: Path) -> bool:
    """Whether nothing in the first line is a number; of a damaged sample something would be."""
    with path.open(encoding="utf-8") as file:
        return not any(map(_is_number, file.readline(_LONGEST_LINE).split(",")))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
