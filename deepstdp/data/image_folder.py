"""Folders (or zips) of image files: ``root/<class>/*``, ``root/{train,val}/<class>/*``, or flat."""

from dataclasses import dataclass

import numpy as np

from deepstdp.config import DataConfig
from deepstdp.data.classes import select_classes
from deepstdp.data.decode import decode_all
from deepstdp.data.file_tree import FileTree, image_names
from deepstdp.data.image_set import Dataset, ImageSet, hold_out
from deepstdp.data.images import InMemory
from deepstdp.errors import UserError
from deepstdp.progress import Progress


@dataclass(frozen=True)
class LabelledFile:
    """An image file and its class index (None without labels)."""

    name: str
    label: int | None


def load(tree: FileTree, config: DataConfig, seed: int, progress: Progress) -> Dataset:
    """Load a folder; without ``train`` and ``val`` folders, hold out a random validation split.

    Raises:
        UserError: no images, one class only, or an image that cannot be decoded.
    """
    names = image_names(tree)
    if not names:
        raise UserError(f"{config.source} holds no images (.png, .jpg, ...)")
    class_names: list[str] | None
    in_train = [n for n in names if n.startswith("train/") and n.count("/") >= 2]
    in_val = [n for n in names if n.startswith("val/") and n.count("/") >= 2]
    if in_train and in_val:
        found = {n.split("/")[1] for n in in_train}
        class_names = select_classes(list(found), config.classes)
        unknown = sorted({n.split("/")[1] for n in in_val} - found)
        if unknown:
            raise UserError(f"{config.source}: class '{unknown[0]}' is in val but not in train")
        train, val = (_label(files, 1, class_names) for files in (in_train, in_val))
        return load_splits(tree, train, val, class_names, config, progress)

    nested, loose = ([n for n in names if ("/" in n) is flag] for flag in (True, False))
    if nested:
        class_names = select_classes(list({n.split("/")[0] for n in nested}), config.classes)
        images, skipped = _decode(tree, _label(nested, 0, class_names), config, progress)
        skipped = sorted([*skipped, *loose])
    elif config.classes != "all":
        raise UserError(f"data.classes is {config.classes}, but {config.source} has no classes")
    else:
        class_names = None
        files = [LabelledFile(name, None) for name in names]
        images, skipped = _decode(tree, files, config, progress)
    train_set, val_set = hold_out(images, config.validation_fraction, seed)
    return Dataset(train_set, val_set, class_names, skipped)


def load_splits(
    tree: FileTree,
    train: list[LabelledFile],
    val: list[LabelledFile],
    class_names: list[str],
    config: DataConfig,
    progress: Progress,
) -> Dataset:
    """Decode the files of both splits.

    Raises:
        UserError: a split has no files, or see ``decode_all``.
    """
    if not train or not val:
        raise UserError(
            f"{config.source} has {len(train)} training and {len(val)} validation images of the "
            "chosen classes"
        )
    (train_set, skipped), (val_set, skipped_val) = (
        _decode(tree, files, config, progress) for files in (train, val)
    )
    return Dataset(train_set, val_set, class_names, [*skipped, *skipped_val])


def _decode(
    tree: FileTree, files: list[LabelledFile], config: DataConfig, progress: Progress
) -> tuple[ImageSet, list[str]]:
    """The images of files, and the names of those left out."""
    names = [file.name for file in files]
    images, kept = decode_all(tree, names, config.image_size, config.on_error, progress)
    found = [files[i].label for i in kept]
    labels = None if None in found else np.array(found, dtype=np.int64)
    left_out = sorted(set(range(len(files))) - set(kept))
    return ImageSet(InMemory(images), [names[i] for i in kept], labels), [
        names[i] for i in left_out
    ]


def _label(names: list[str], depth: int, class_names: list[str]) -> list[LabelledFile]:
    index = {name: i for i, name in enumerate(class_names)}
    parts = ((name, name.split("/")[depth]) for name in names)
    return [LabelledFile(name, index[part]) for name, part in parts if part in index]
