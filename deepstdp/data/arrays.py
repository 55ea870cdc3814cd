"""Images in a NumPy file: ``.npy``, or ``.npz`` with or without labels and splits."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor

from deepstdp.config import DataConfig
from deepstdp.data.classes import select_classes
from deepstdp.data.image_set import Dataset, ImageSet, hold_out, keep_labels
from deepstdp.data.images import Images, InMemory
from deepstdp.data.mapped import Mapped
from deepstdp.data.numpy_file import read_arrays
from deepstdp.data.resize import resize
from deepstdp.errors import UserError

_IMAGE_KEYS = ("images", "x", "data", "arr_0")
_LABEL_KEYS = ("labels", "y", "targets", "arr_1")
_TRAIN_KEYS = (("train_images", "x_train"), ("train_labels", "y_train"))
_VAL_KEYS = (
    ("val_images", "x_val", "test_images", "x_test"),
    ("val_labels", "y_val", "test_labels", "y_test"),
)


def load(path: Path, config: DataConfig, seed: int) -> Dataset:
    """Load arrays of shape (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or float in [0, 1].

    An ``.npz`` holds ``images`` and optionally ``labels``, or ``train_images``, ``train_labels``,
    ``val_images`` and ``val_labels`` (``x_train``, ``y_test`` and the like are understood too).

    Raises:
        UserError: not a NumPy file, a pickled array, or arrays of the wrong shape or type.
    """
    return dataset_of(read_arrays(path, "images"), config, seed, path)


def dataset_of(
    arrays: Mapping[str, np.ndarray], config: DataConfig, seed: int, source: str | Path
) -> Dataset:
    """A data set of named arrays, named and shaped as ``load`` has them.

    Args:
        arrays: of a file, or of the caller's own.
        config: classes, size and what is held out; its source is not read.
        seed: of the images held out.
        source: what errors call the arrays' origin.

    Raises:
        UserError: see ``load``.
    """
    if any(key in arrays for key in _TRAIN_KEYS[0]):
        train = _image_set(arrays, _TRAIN_KEYS, "train", config, source)
        val = _image_set(arrays, _VAL_KEYS, "val", config, source)
    else:
        both = _image_set(arrays, (_IMAGE_KEYS, _LABEL_KEYS), "image", config, source)
        train, val = hold_out(both, config.validation_fraction, seed)
    return _select(train, val, config, source)


def read_images(path: Path) -> Shaped[np.ndarray, "..."]:
    """The array of images of a file, whatever else it holds.

    Raises:
        UserError: see ``load``.
    """
    arrays = read_arrays(path, "images")
    keys = (*_IMAGE_KEYS, *_VAL_KEYS[0], *_TRAIN_KEYS[0])
    return _find(arrays, keys, path)


def fit_images(
    raw: Shaped[np.ndarray, "..."], n_channels: int, size: int | None, source: str | Path
) -> UInt8[Tensor, "n c h w"]:
    """Images of an array as a trained model takes them.

    Args:
        raw: as in ``load``.
        n_channels: 3, or 1 for gray.
        size: side length; None keeps their own.
        source: what errors call the array's origin.

    Raises:
        UserError: see ``load``; or the channels are others.
    """
    images = resize(_to_images(raw, source), size)
    if images.shape[1] != n_channels:
        raise UserError(
            f"{source} has images of {images.shape[1]} channels, the model takes {n_channels}"
        )
    return images


def _find(
    arrays: Mapping[str, np.ndarray], keys: tuple[str, ...], source: str | Path
) -> Shaped[np.ndarray, "..."]:
    for key in keys:
        if key in arrays:
            return arrays[key]
    raise UserError(f"{source} has no array '{keys[0]}', only {', '.join(arrays)}")


def _image_set(
    arrays: Mapping[str, np.ndarray],
    keys: tuple[tuple[str, ...], tuple[str, ...]],
    prefix: str,
    config: DataConfig,
    source: str | Path,
) -> ImageSet:
    image_keys, label_keys = keys
    images = _open(_find(arrays, image_keys, source), config, source)
    labels = next((arrays[key] for key in label_keys if key in arrays), None)
    if labels is not None:
        labels = _to_labels(labels, len(images), source)
    width = len(str(max(len(images) - 1, 0)))
    return ImageSet(images, [f"{prefix}-{i:0{width}d}" for i in range(len(images))], labels)


def _open(raw: Shaped[np.ndarray, "..."], config: DataConfig, source: str | Path) -> Images:
    """The images of an array, copied into memory or read from its map."""
    array = _channels_first(raw, source)
    n, channels, height, width = array.shape
    size = config.image_size
    if config.streams(n * channels * (size or height) * (size or width)):
        if isinstance(raw, np.memmap) and raw.dtype == np.uint8:
            # The view without the class: each slice of a memmap costs as much as a small batch.
            return Mapped(array.view(np.ndarray), np.arange(n), size)
        if config.loading == "stream":
            raise UserError(
                f"{source} cannot be streamed: save its images as .npy in uint8, "
                "or give --data.loading memory"
            )
    return InMemory(resize(_to_images(raw, source), size))


def _channels_first(
    raw: Shaped[np.ndarray, "..."], source: str | Path
) -> Shaped[np.ndarray, "n c h w"]:
    if raw.ndim == 3:
        raw = raw[:, None]
    elif raw.ndim == 4 and raw.shape[1] not in (1, 3) and raw.shape[3] in (1, 3):
        raw = raw.transpose(0, 3, 1, 2)
    if raw.ndim != 4 or raw.shape[1] not in (1, 3) or 0 in raw.shape:
        raise UserError(
            f"{source}: images must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C = 1 or 3, "
            f"not {raw.shape}"
        )
    return raw


def _to_images(raw: Shaped[np.ndarray, "..."], source: str | Path) -> UInt8[Tensor, "n c h w"]:
    raw = _channels_first(raw, source)
    if np.issubdtype(raw.dtype, np.floating):
        if not np.isfinite(raw).all() or raw.min() < 0 or raw.max() > 1:
            raise UserError(f"{source}: float images must be finite and lie in [0, 1]")
        raw = np.round(raw * 255).astype(np.uint8)
    if raw.dtype != np.uint8:
        raise UserError(f"{source}: images must be uint8, or float in [0, 1], not {raw.dtype}")
    return torch.from_numpy(np.require(raw, requirements=["C", "W", "E"]))


def _to_labels(
    raw: Shaped[np.ndarray, "..."], n: int, source: str | Path
) -> Int64[np.ndarray, "n"]:
    if raw.size != n or raw.ndim == 0 or len(raw) != n or not np.issubdtype(raw.dtype, np.integer):
        raise UserError(f"{source}: labels must be {n} whole numbers, one an image")
    labels = raw.reshape(n).astype(np.int64)
    if n > 0 and labels.min() < 0:
        raise UserError(f"{source}: labels must not be negative")
    return labels


def _select(train: ImageSet, val: ImageSet, config: DataConfig, source: str | Path) -> Dataset:
    if (train.labels is None) != (val.labels is None):
        raise UserError(f"{source} has labels for one split only")
    if train.labels is None or val.labels is None:
        if config.classes != "all":
            raise UserError(f"data.classes is {config.classes}, but {source} has no labels")
        return Dataset(train, val, None, skipped=[])
    # Names of equal width, so that naming order is the order of numbers.
    width = len(str(train.labels.max()))
    present = [f"{label:0{width}d}" for label in np.unique(train.labels)]
    wanted = config.classes
    if not isinstance(wanted, str):
        wanted = [str(name).zfill(width) for name in wanted]
    names = select_classes(present, wanted)
    unknown = np.setdiff1d(val.labels, train.labels)
    if config.classes == "all" and len(unknown) > 0:
        raise UserError(f"{source}: label {unknown[0]} is in validation only")
    labels = np.array([int(name) for name in names])
    return Dataset(keep_labels(train, labels), keep_labels(val, labels), names, skipped=[])
