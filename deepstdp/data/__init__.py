"""Images from any source, decoded once into memory or streamed from their files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepstdp.config import DataConfig
from deepstdp.data import arrays as arrays_source
from deepstdp.data import digits, image_folder, shards, tiny_imagenet
from deepstdp.data.file_tree import open_tree
from deepstdp.data.image_set import Dataset, ImageSet, hold_out
from deepstdp.data.images import Images, InMemory
from deepstdp.errors import UserError
from deepstdp.progress import SILENT, Progress

__all__ = ["GIVEN", "Dataset", "ImageSet", "Images", "InMemory", "dataset_of", "load_dataset"]

GIVEN = "images given in Python"
"""The source of a run that was given arrays."""


def load_dataset(config: DataConfig, seed: int, progress: Progress = SILENT) -> Dataset:
    """Load the data set that ``config.source`` names.

    Args:
        config: source, classes and sizes.
        seed: of the random validation split, where the source or the config wants one.
        progress: shows the decoding.

    Raises:
        UserError: the source is missing, damaged, empty or has one class only.
    """
    return _split(_load(config, seed, progress), config, seed)


def dataset_of(
    arrays: Mapping[str, np.ndarray], config: DataConfig, seed: int, source: str = "images"
) -> Dataset:
    """The data set of arrays at hand, named and shaped as in an ``.npz`` (see ``arrays.load``)."""
    return _split(arrays_source.dataset_of(arrays, config, seed, source), config, seed)


def _split(dataset: Dataset, config: DataConfig, seed: int) -> Dataset:
    if config.split == "official":
        return dataset
    train, held_out = hold_out(dataset.train, config.validation_fraction, seed)
    return replace(dataset, train=train, val=held_out)


def _load(config: DataConfig, seed: int, progress: Progress) -> Dataset:
    if config.source == "digits":
        return digits.load(config, seed)
    if shard_paths := shards.find_shards(config.source):
        return shards.load(shard_paths, config, seed, progress)
    if config.source == GIVEN:
        raise UserError(
            "the run's images were given in Python: save them as an .npz with images (and labels), "
            "and give that as --data.source"
        )
    path = Path(config.source).expanduser()
    if not path.exists():
        raise UserError(f"data.source: {path} does not exist")
    if path.suffix.lower() in (".npz", ".npy"):
        return arrays_source.load(path, config, seed)
    tree = open_tree(path)
    if tiny_imagenet.is_tiny_imagenet(tree):
        return tiny_imagenet.load(tree, config, progress)
    return image_folder.load(tree, config, seed, progress)
