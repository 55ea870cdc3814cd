"""Images from any source, decoded once into memory or streamed from their files."""

from dataclasses import replace
from pathlib import Path

from deepstdp.config import DataConfig
from deepstdp.data import arrays, digits, image_folder, shards, tiny_imagenet
from deepstdp.data.file_tree import open_tree
from deepstdp.data.image_set import Dataset, ImageSet, hold_out
from deepstdp.data.images import Images, InMemory
from deepstdp.errors import UserError
from deepstdp.progress import SILENT, Progress

__all__ = ["Dataset", "ImageSet", "Images", "InMemory", "load_dataset"]


def load_dataset(config: DataConfig, seed: int, progress: Progress = SILENT) -> Dataset:
    """Load the data set that ``config.source`` names.

    Args:
        config: source, classes and sizes.
        seed: of the random validation split, where the source or the config wants one.
        progress: shows the decoding.

    Raises:
        UserError: the source is missing, damaged, empty or has one class only.
    """
    dataset = _load(config, seed, progress)
    if config.split == "official":
        return dataset
    train, held_out = hold_out(dataset.train, config.validation_fraction, seed)
    return replace(dataset, train=train, val=held_out)


def _load(config: DataConfig, seed: int, progress: Progress) -> Dataset:
    if config.source == "digits":
        return digits.load(config, seed)
    if shard_paths := shards.find_shards(config.source):
        return shards.load(shard_paths, config, seed, progress)
    path = Path(config.source).expanduser()
    if not path.exists():
        raise UserError(f"data.source: {path} does not exist")
    if path.suffix.lower() in (".npz", ".npy"):
        return arrays.load(path, config, seed)
    tree = open_tree(path)
    if tiny_imagenet.is_tiny_imagenet(tree):
        return tiny_imagenet.load(tree, config, progress)
    return image_folder.load(tree, config, seed, progress)
