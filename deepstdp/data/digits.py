"""scikit-learn's handwritten digits: 1,797 images of 8x8 that ship inside that package."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from deepstdp.config import DataConfig
from deepstdp.data.classes import select_classes
from deepstdp.data.image_set import Dataset, ImageSet, hold_out, keep_labels
from deepstdp.data.images import InMemory
from deepstdp.data.resize import resize


def load(config: DataConfig, seed: int) -> Dataset:
    """Load the digits, split at random."""
    bunch = load_digits()
    pixels = torch.from_numpy(np.round(bunch.images * (255 / 16)).astype(np.uint8))
    images = resize(pixels[:, None], config.image_size)
    digits = ImageSet(
        InMemory(images),
        [f"digit-{i:04d}" for i in range(len(images))],
        bunch.target.astype(np.int64),
    )
    class_names = select_classes([str(name) for name in bunch.target_names], config.classes)
    wanted = np.array([int(name) for name in class_names])
    digits = keep_labels(digits, wanted)
    train, val = hold_out(digits, config.validation_fraction, seed)
    return Dataset(train, val, class_names, skipped=[])
