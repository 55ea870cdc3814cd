"""From image files with class names to a data set, in memory or streamed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deepstdp.config import DataConfig
from deepstdp.data.classes import select_classes
from deepstdp.data.decode import Decoder, ImageFiles, decode_all
from deepstdp.data.file_tree import FileTree
from deepstdp.data.image_set import Dataset, ImageSet, hold_out
from deepstdp.data.images import Images
from deepstdp.data.streamed import DecodingPool, Streamed
from deepstdp.errors import UserError
from deepstdp.processes import usable_cpus
from deepstdp.progress import Progress

_MOST_WORKERS = 8


class LabelledFile(NamedTuple):
    """An image file and the name of its class (None without labels)."""

    name: str
    class_name: str | None


def load_whole(
    tree: FileTree,
    files: list[LabelledFile],
    config: DataConfig,
    seed: int,
    progress: Progress,
    left_out: Sequence[str] = (),
) -> Dataset:
    """Load files and hold out a random validation split.

    Args:
        tree: where the files are.
        files: all with a class, or none.
        config: which classes, and how images are decoded.
        seed: of the split.
        progress: follows the decoding.
        left_out: names of files that are known to be of no use.

    Raises:
        UserError: one class only, or an image that cannot be decoded.
    """
    class_names = _classes(files, config)
    (images,), skipped = _load(tree, [files], class_names, config, progress)
    train, val = hold_out(images, config.validation_fraction, seed)
    return Dataset(train, val, class_names, sorted([*skipped, *left_out]))


def load_splits(
    tree: FileTree,
    train: list[LabelledFile],
    val: list[LabelledFile],
    config: DataConfig,
    progress: Progress,
    available: Sequence[str] | None = None,
) -> Dataset:
    """Load the files of both splits.

    Args:
        tree: where the files are.
        train: files to learn from, all with a class, or none.
        val: files to measure on, likewise.
        config: which classes, and how images are decoded.
        progress: follows the decoding.
        available: all class names, where they are more than those of ``train``.

    Raises:
        UserError: a class is in ``val`` alone, a split has no files of the chosen classes, or an
            image cannot be decoded.
    """
    class_names = _classes(train, config, available)
    if class_names is not None:
        known = {file.class_name for file in train} | set(available or ())
        unknown = sorted({str(file.class_name) for file in val if file.class_name not in known})
        if unknown:
            raise UserError(f"{config.source}: class '{unknown[0]}' is in val but not in train")
    (train_set, val_set), skipped = _load(tree, [train, val], class_names, config, progress)
    return Dataset(train_set, val_set, class_names, skipped)


def _classes(
    files: list[LabelledFile], config: DataConfig, available: Sequence[str] | None = None
) -> list[str] | None:
    """Names of the chosen classes; None without labels."""
    found = {file.class_name for file in files}
    if found - {None}:
        return select_classes([str(name) for name in available or found], config.classes)
    if config.classes != "all":
        raise UserError(f"data.classes is {config.classes}, but {config.source} has no classes")
    return None


def _load(
    tree: FileTree,
    splits: Sequence[list[LabelledFile]],
    class_names: list[str] | None,
    config: DataConfig,
    progress: Progress,
) -> tuple[list[ImageSet], list[str]]:
    """The images of each split's files in the given classes, and the names of those left out."""
    index = {name: i for i, name in enumerate(class_names or ())}
    if class_names is not None:
        splits = [[file for file in files if file.class_name in index] for files in splits]
    if not all(splits):
        counts = " and ".join(str(len(files)) for files in splits)
        raise UserError(
            f"{config.source} has {counts} images of the chosen classes for training and validation"
        )
    names = [file.name for files in splits for file in files]
    decoder = Decoder(tree.reader(names), config.image_size, 3)
    files = ImageFiles(decoder, names, config.on_error)
    streamed = config.streams(len(names) * int(np.prod(files.shape())))
    pool = DecodingPool(files, _workers(config)) if streamed else None
    sets: list[ImageSet] = []
    left_out: set[int] = set()
    start = 0
    for split in splits:
        part = range(start, start + len(split))
        images, kept = _open(files, pool, part, progress)
        labels = None
        if class_names is not None:
            labels = np.array([index[str(split[i - start].class_name)] for i in kept])
        sets.append(ImageSet(images, [names[i] for i in kept], labels))
        left_out |= set(part) - set(kept.tolist())
        start = part.stop
    return sets, [names[i] for i in sorted(left_out)]


def _open(
    files: ImageFiles, pool: DecodingPool | None, part: range, progress: Progress
) -> tuple[Images, np.ndarray]:
    """The images at some positions, and which of these are kept."""
    if pool is None:
        return decode_all(files, part, progress)
    if files.on_error == "skip":
        kept = pool.check(part, progress)
    else:
        kept = np.arange(part.start, part.stop)
    return Streamed(pool, kept), kept


def _workers(config: DataConfig) -> int:
    if config.workers == "auto":
        return min(usable_cpus(), _MOST_WORKERS)
    return config.workers
