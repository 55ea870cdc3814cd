"""The views of a batch: what of each image the network is to predict the target from."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from deepstdp.config import AugmentationConfig, Config
from deepstdp.config.data import COLOUR
from deepstdp.data.augment import augment

ASSIGNED = 0x7FFF
"""Number of the view that the clusterer sees, beyond those that the network does."""

_VIEW_BIT = 48


def view_keys(keys: Int64[Tensor, "b"], view: int) -> Int64[Tensor, "b"]:
    """Keys that give each view draws of its own."""
    return keys | (view << _VIEW_BIT)


def make_view(
    images: UInt8[Tensor, "b c h w"],
    keys: Int64[Tensor, "b"],
    epoch: int | Int64[Tensor, ""],
    view: int,
    config: Config,
) -> Float[Tensor, "b c h w"]:
    """One augmented view of each image; those numbered from ``training.views`` on are small."""
    strength = config.augmentation
    if view == ASSIGNED:
        strength = _assigned(strength)
    elif view >= config.training.views:
        strength = replace(strength, crop_scale=strength.small_crop_scale)
    return augment(images, view_keys(keys, view), config.seed, epoch, strength)


def make_views(
    images: UInt8[Tensor, "b c h w"],
    keys: Int64[Tensor, "b"],
    epoch: int | Int64[Tensor, ""],
    config: Config,
) -> Float[Tensor, "vb c h w"]:
    """All views that the network sees, one batch of views after the other."""
    n_views = config.training.views + config.training.small_views
    return torch.cat([make_view(images, keys, epoch, view, config) for view in range(n_views)])


def _assigned(strength: AugmentationConfig) -> AugmentationConfig:
    """A weaker augmentation: what is to be predicted should be worth predicting."""
    colour = {name: strength.assigned_colour * getattr(strength, name) for name in COLOUR}
    return replace(strength, crop_scale=strength.assigned_crop_scale, **colour)
