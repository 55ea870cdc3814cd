"""Settings of the images and of their augmentation."""

from dataclasses import dataclass
from typing import Literal

from deepstdp.config.checks import require


@dataclass(frozen=True)
class DataConfig:
    """Where the images come from.

    Args:
        source: ``digits``, or the path of a Tiny ImageNet folder or zip, an image folder
            (``root/<class>/*.png`` or flat), WebDataset shards (a ``.tar``, a folder of them, or
            ``train-{000..009}.tar``), or an ``.npz`` / ``.npy`` of images.
        classes: ``all``, ``first-N`` in naming order, or a list of class names.
        image_size: side length to which images are resized; null keeps their own size.
        validation_fraction: share held out, by the seed, where the source has no validation split,
            and for ``tuning``.
        split: ``official`` measures on the validation images; ``tuning`` never looks at them and
            measures on a share held out of the training images, so that settings can be chosen.
        on_error: what to do about a file that cannot be decoded.
        loading: ``memory`` decodes all images once; ``stream`` decodes them each time they are
            needed; ``auto`` streams what would take more than ``memory_gb``, if it can be.
        memory_gb: decoded images that the memory of each process is for, in gigabytes.
        workers: processes that decode streamed images; 0 decodes in the process itself, ``auto``
            is one a usable CPU, at most 8.
    """

    source: str = "digits"
    classes: list[str | int] | str = "all"
    image_size: int | None = 16
    validation_fraction: float = 0.2
    split: Literal["official", "tuning"] = "official"
    on_error: Literal["stop", "skip"] = "stop"
    loading: Literal["auto", "memory", "stream"] = "auto"
    memory_gb: float = 4.0
    workers: int | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        require(
            0 < self.validation_fraction < 1,
            f"data.validation_fraction must lie between 0 and 1, not {self.validation_fraction}",
        )
        require(
            self.image_size is None or self.image_size >= 4,
            f"data.image_size must be at least 4, not {self.image_size}",
        )
        require(self.memory_gb > 0, f"data.memory_gb must be above 0, not {self.memory_gb}")
        require(
            self.workers == "auto" or self.workers >= 0,
            f"data.workers must be auto, or 0 or more, not {self.workers}",
        )

    def streams(self, n_bytes: int) -> bool:
        """Whether decoded images of a size are to be streamed."""
        too_large = n_bytes > self.memory_gb * 1e9
        return self.loading == "stream" or (self.loading == "auto" and too_large)


COLOUR = ("brightness", "contrast", "saturation", "hue", "grayscale")
"""The settings of ``AugmentationConfig`` that change colours."""


@dataclass(frozen=True)
class AugmentationConfig:
    """Random changes to the images that the ConvNet is trained on.

    Args:
        crop_scale: smallest and largest share of the area that a crop keeps.
        small_crop_scale: the same for the small views (``training.small_views``).
        assigned_crop_scale: the same for the view that is assigned with ``training.targets batch``.
        assigned_colour: how strongly that view is recoloured: a factor on the strengths below.
        crop_ratio: smallest and largest width-to-height ratio of a crop.
        flip: probability of a horizontal flip.
        brightness: brightness is shifted by at most this.
        contrast: contrast is scaled by a factor within 1 +- this.
        saturation: the same for saturation (RGB images only).
        hue: hue is turned by at most this share of the circle (RGB images only).
        grayscale: probability of removing the colour (RGB images only).
    """

    crop_scale: tuple[float, float] = (0.6, 1.0)
    small_crop_scale: tuple[float, float] = (0.1, 0.4)
    assigned_crop_scale: tuple[float, float] = (0.6, 1.0)
    assigned_colour: float = 0.0
    crop_ratio: tuple[float, float] = (0.8, 1.25)
    flip: float = 0.0
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop_scale", "small_crop_scale", "assigned_crop_scale"):
            low, high = getattr(self, name)
            require(
                0 < low <= high <= 1, f"augmentation.{name} must rise within (0, 1]: {low, high}"
            )
        low, high = self.crop_ratio
        require(0 < low <= high, f"augmentation.crop_ratio must be positive and rise: {low, high}")
        for name in ("flip", *COLOUR, "assigned_colour"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"augmentation.{name} must lie in [0, 1], not {value}")
        require(0 <= self.hue <= 0.5, f"augmentation.hue must lie in [0, 0.5], not {self.hue}")
