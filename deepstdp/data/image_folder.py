"""Folders (or zips) of image files: ``root/<class>/*``, ``root/{train,val}/<class>/*``, or flat."""

from deepstdp.config import DataConfig
from deepstdp.data.file_tree import FileTree, image_names
from deepstdp.data.image_set import Dataset
from deepstdp.data.labelled_files import LabelledFile, load_splits, load_whole
from deepstdp.errors import UserError
from deepstdp.progress import Progress


def load(tree: FileTree, config: DataConfig, seed: int, progress: Progress) -> Dataset:
    """Load a folder; without ``train`` and ``val`` folders, hold out a random validation split.

    Raises:
        UserError: no images, one class only, or an image that cannot be decoded.
    """
    names = image_names(tree)
    if not names:
        raise UserError(f"{config.source} holds no images (.png, .jpg, ...)")
    in_train, in_val = (
        [n for n in names if n.startswith(f"{split}/") and n.count("/") >= 2]
        for split in ("train", "val")
    )
    if in_train and in_val:
        train, val = (_label(files, 1) for files in (in_train, in_val))
        return load_splits(tree, train, val, config, progress)
    nested, loose = ([n for n in names if ("/" in n) is flag] for flag in (True, False))
    if nested:
        return load_whole(tree, _label(nested, 0), config, seed, progress, left_out=loose)
    return load_whole(tree, [LabelledFile(n, None) for n in names], config, seed, progress)


def _label(names: list[str], depth: int) -> list[LabelledFile]:
    """Files with the folder at some depth as their class."""
    return [LabelledFile(name, name.split("/")[depth]) for name in names]
