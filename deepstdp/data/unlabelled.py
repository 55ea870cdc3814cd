"""New images of any kind, to be assigned by a trained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from deepstdp.data.arrays import read_images
from deepstdp.data.decode import decode_all
from deepstdp.data.file_tree import image_names, open_tree
from deepstdp.data.image_set import ImageSet
from deepstdp.data.images import InMemory
from deepstdp.data.resize import resize
from deepstdp.errors import UserError
from deepstdp.progress import Progress


class _Files:
    """The files at the given paths."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def read(self, name: str) -> bytes:
        return Path(name).read_bytes()


def load_unlabelled(
    paths: Sequence[Path],
    n_channels: int,
    size: int | None,
    on_error: Literal["stop", "skip"],
    progress: Progress,
) -> tuple[ImageSet, list[str]]:
    """Load image files, folders, zips and NumPy files, as a model takes them.

    Args:
        paths: any mixture.
        n_channels: 3, or 1 for gray.
        size: side length; None takes them as they are.
        on_error: what to do about a file that cannot be decoded.
        progress: follows the decoding.

    Returns:
        The images, and the names of those that could not be decoded.

    Raises:
        UserError: a path does not exist or holds no images.
    """
    parts, skipped = [], []
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} does not exist")
        if path.suffix.lower() in (".npz", ".npy"):
            parts.append(_from_array(path, n_channels, size))
            continue
        is_tree = path.is_dir() or path.suffix.lower() == ".zip"
        tree = open_tree(path) if is_tree else _Files([str(path)])
        names = image_names(tree) if is_tree else list(tree.names)
        if not names:
            raise UserError(f"{path} holds no images (.png, .jpg, ...)")
        decoded, kept = decode_all(tree, names, size, on_error, progress, n_channels)
        shown = [f"{path}/{name}" if is_tree else name for name in names]
        parts.append(ImageSet(InMemory(decoded), [shown[i] for i in kept], None))
        skipped += [shown[i] for i in sorted(set(range(len(names))) - set(kept))]
    shapes = {part.images.shape for part in parts}
    if len(shapes) > 1:
        raise UserError(f"images differ in shape: {', '.join(map(str, sorted(shapes)))}")
    names = [name for part in parts for name in part.names]
    images = torch.cat([part.images.take(torch.arange(len(part))) for part in parts])
    return ImageSet(InMemory(images), names, None), skipped


def _from_array(path: Path, n_channels: int, size: int | None) -> ImageSet:
    images = resize(read_images(path), size)
    if images.shape[1] != n_channels:
        raise UserError(
            f"{path} has images of {images.shape[1]} channels, the model takes {n_channels}"
        )
    return ImageSet(InMemory(images), [f"{path}[{i}]" for i in range(len(images))], None)
