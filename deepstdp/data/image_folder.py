"""Folders (or zips) of image files: ``root/<class>/*``, ``root/{train,val}/<class>/*``, or flat."""

from dataclasses import dataclass, replace

import numpy as np

from deepstdp.config import DataConfig
from deepstdp.data.classes import select_classes
from deepstdp.data.decode import decode_all
from deepstdp.data.file_tree import FileTree, image_names
from deepstdp.data.image_set import Dataset, ImageSet, hold_out
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
    in_train = [n for n in names if n.startswith("train/") and n.count("/") >= 2]
    in_val = [n for n in names if n.startswith("val/") and n.count("/") >= 2]
    if in_train and in_val:
        found = {n.split("/")[1] for n in in_train}
        class_names = select_classes(list(found), config.classes)
        train, val = (_label(files, 1, class_names) for files in (in_train, in_val))
        return load_files(tree, train, val, class_names, config, progress)

    nested = [n for n in names if "/" in n]
    if nested:
        class_names = select_classes(list({n.split("/")[0] for n in nested}), config.classes)
        files = _label(nested, 0, class_names)
        dataset = load_files(tree, files, [], class_names, config, progress)
    elif config.classes != "all":
        raise UserError(f"data.classes is {config.classes}, but {config.source} has no classes")
    else:
        files = [LabelledFile(name, None) for name in names]
        dataset = load_files(tree, files, [], None, config, progress)
    train_set, val_set = hold_out(dataset.train, config.validation_fraction, seed)
    return replace(dataset, train=train_set, val=val_set)


def load_files(
    tree: FileTree,
    train: list[LabelledFile],
    val: list[LabelledFile],
    class_names: list[str] | None,
    config: DataConfig,
    progress: Progress,
) -> Dataset:
    """Decode the files of both splits; those that cannot be are left out or an error."""
    files = [*train, *val]
    images, kept = decode_all(
        tree, [file.name for file in files], config.image_size, config.on_error, progress
    )
    labels = (
        None if class_names is None else np.array([files[i].label for i in kept], dtype=np.int64)
    )
    decoded = ImageSet(images, [files[i].name for i in kept], labels)
    is_train = np.array(kept) < len(train)
    left_out = sorted(set(range(len(files))) - set(kept))
    return Dataset(
        decoded.select(np.flatnonzero(is_train)),
        decoded.select(np.flatnonzero(~is_train)),
        class_names,
        skipped=[files[i].name for i in left_out],
    )


def _label(names: list[str], depth: int, class_names: list[str]) -> list[LabelledFile]:
    index = {name: i for i, name in enumerate(class_names)}
    parts = ((name, name.split("/")[depth]) for name in names)
    return [LabelledFile(name, index[part]) for name, part in parts if part in index]
