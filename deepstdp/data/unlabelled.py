"""New images of any kind, to be assigned by a trained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from deepstdp.data.arrays import fit_images, read_images
from deepstdp.data.decode import Decoder, ImageFiles, decode_all
from deepstdp.data.file_tree import FileTree, image_names, open_tree
from deepstdp.data.image_set import ImageSet
from deepstdp.data.images import InMemory
from deepstdp.data.readers import PathReader, Reader
from deepstdp.data.shards import find_shards, samples
from deepstdp.data.tar_tree import TarTree
from deepstdp.errors import UserError
from deepstdp.progress import Progress


def load_unlabelled(
    paths: Sequence[Path],
    n_channels: int,
    size: int | None,
    on_error: Literal["stop", "skip"],
    progress: Progress,
) -> tuple[ImageSet, list[str]]:
    """Load image files, folders, zips, shards and NumPy files, as a model takes them.

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
        shown, reader = _files(path, progress)
        files = ImageFiles(Decoder(reader, size, n_channels), shown, on_error)
        decoded, kept = decode_all(files, range(len(shown)), progress)
        parts.append(ImageSet(decoded, [shown[i] for i in kept], None))
        skipped += [shown[i] for i in sorted(set(range(len(shown))) - set(kept.tolist()))]
    shapes = {part.images.shape for part in parts}
    if len(shapes) > 1:
        raise UserError(f"images differ in shape: {', '.join(map(str, sorted(shapes)))}")
    names = [name for part in parts for name in part.names]
    images = torch.cat([part.images.take(torch.arange(len(part))) for part in parts])
    return ImageSet(InMemory(images), names, None), skipped


def _files(path: Path, progress: Progress) -> tuple[list[str], Reader]:
    """Names to show of the images at a path, and what reads them."""
    if shards := find_shards(str(path)):
        tree: FileTree = TarTree(shards, progress)
        names = [file.name for file in samples(tree)]
    elif path.is_dir() or path.suffix.lower() == ".zip":
        tree = open_tree(path)
        names = image_names(tree)
    else:
        return [str(path)], PathReader(Path(), [str(path)])
    if not names:
        raise UserError(f"{path} holds no images (.png, .jpg, ...)")
    return [f"{path}/{name}" for name in names], tree.reader(names)


def _from_array(path: Path, n_channels: int, size: int | None) -> ImageSet:
    images = fit_images(read_images(path), n_channels, size, path)
    return ImageSet(InMemory(images), [f"{path}[{i}]" for i in range(len(images))], None)
