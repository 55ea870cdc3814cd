"""The records that data sources return."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64

from deepstdp.data.images import Images
from deepstdp.errors import UserError
from deepstdp.keyed_random import Stream, numpy_generator


@dataclass(frozen=True)
class ImageSet:
    """Images of one split.

    Attributes:
        images: (N, C, H, W) uint8, in memory or streamed.
        names: one name an image, unique within the split.
        labels: (N,) class indices, or None. For evaluation only: training never sees them.
    """

    images: Images
    names: list[str]
    labels: Int64[np.ndarray, "n"] | None

    def __len__(self) -> int:
        return len(self.names)

    def select(self, indices: Int64[np.ndarray, "m"]) -> "ImageSet":
        """The images at ``indices``."""
        labels = None if self.labels is None else self.labels[indices]
        return ImageSet(
            self.images.select(torch.from_numpy(indices)), [self.names[i] for i in indices], labels
        )


def keep_labels(images: ImageSet, wanted: Int64[np.ndarray, "c"]) -> ImageSet:
    """Keep the images of the wanted labels (in rising order), and number these from 0."""
    assert images.labels is not None
    kept = np.flatnonzero(np.isin(images.labels, wanted))
    return replace(images.select(kept), labels=np.searchsorted(wanted, images.labels[kept]))


@dataclass(frozen=True)
class Dataset:
    """A training and a validation split.

    Attributes:
        train: images that are learnt from.
        val: images that are only measured on.
        class_names: names of the label indices, or None without labels.
        skipped: files left out: not decodable, or in no class folder.

    Raises:
        UserError: a split is empty, or the two differ in shape.
    """

    train: ImageSet
    val: ImageSet
    class_names: list[str] | None
    skipped: list[str]

    def __post_init__(self) -> None:
        for name, part in (("training", self.train), ("validation", self.val)):
            if len(part) == 0:
                raise UserError(f"there are no {name} images")
        shapes = [part.images.shape for part in (self.train, self.val)]
        if shapes[0] != shapes[1]:
            raise UserError(
                f"training and validation images differ in shape ({shapes[0]}, {shapes[1]}): "
                "give --data.image_size if it is the size"
            )

    def to(self, device: torch.device) -> "Dataset":
        """The same data set with its images on ``device``."""
        train = replace(self.train, images=self.train.images.to(device))
        return replace(self, train=train, val=replace(self.val, images=self.val.images.to(device)))


def hold_out(images: ImageSet, fraction: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Split into training and validation at random, blind to the labels.

    Raises:
        UserError: fewer than two images.
    """
    n = len(images)
    if n < 2:
        raise UserError(f"{n} image is too few: at least two are needed to train and validate")
    order = numpy_generator(seed, Stream.SPLIT).permutation(n)
    n_val = min(max(1, round(n * fraction)), n - 1)
    return images.select(np.sort(order[n_val:])), images.select(np.sort(order[:n_val]))
