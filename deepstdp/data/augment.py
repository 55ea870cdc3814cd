"""Augmentation of whole batches on their device, from keyed draws.

What a sample gets depends on (seed, epoch, sample id, occurrence) alone, so the order of samples
and the split into batches change nothing. kornia's functional operations do the work.
"""

import math

import torch
from jaxtyping import Float, Int64, UInt8
from kornia.color import rgb_to_grayscale
from kornia.enhance import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation
from kornia.geometry.transform import warp_affine
from torch import Tensor

from deepstdp.config import AugmentationConfig
from deepstdp.keyed_random import Stream, uniform

_N_DRAWS = 10


def augment(
    images: UInt8[Tensor, "b c h w"],
    keys: Int64[Tensor, "b"],
    seed: int,
    epoch: int | Int64[Tensor, ""],
    config: AugmentationConfig,
) -> Float[Tensor, "b c h w"]:
    """Crop, flip and recolour each image.

    Args:
        images: a batch.
        keys: what identifies each sample's draws within the epoch.
        seed: the run's seed.
        epoch: the epoch.
        config: strengths and probabilities.

    Returns:
        Images in [0, 1].
    """
    draws = uniform(seed, Stream.AUGMENTATION, epoch, keys, _N_DRAWS)
    area, ratio, left, top, flip, *colour_draws = draws.unbind(dim=1)
    pixels = images.to(torch.float32) / 255
    matrix = _crop_matrix(area, ratio, left, top, flip, images.shape[-2:], config)
    height, width = images.shape[-2:]
    cropped = warp_affine(
        pixels, matrix, (height, width), padding_mode="border", align_corners=False
    )
    return _recolour(cropped.clamp(0, 1), colour_draws, config)


def _crop_matrix(
    area: Float[Tensor, "b"],
    ratio: Float[Tensor, "b"],
    left: Float[Tensor, "b"],
    top: Float[Tensor, "b"],
    flip: Float[Tensor, "b"],
    size: torch.Size,
    config: AugmentationConfig,
) -> Float[Tensor, "b 2 3"]:
    """Map the crop (x0, y0, w, h) onto the whole frame: x' = (x - x0) W / w, mirrored if flipped.

    The crop covers a uniform share of the area with a log-uniform ratio, as in Inception's
    random resized crop; a crop that would stick out of the frame is cut to it.
    """
    frame_h, frame_w = size
    low, high = config.crop_scale
    share = low + (high - low) * area
    log_low, log_high = (math.log(r) for r in config.crop_ratio)
    aspect = torch.exp(log_low + (log_high - log_low) * ratio)
    crop_w = (frame_w * torch.sqrt(share * aspect)).clamp(1, frame_w)
    crop_h = (frame_h * torch.sqrt(share / aspect)).clamp(1, frame_h)
    x0, y0 = left * (frame_w - crop_w), top * (frame_h - crop_h)
    scale_x, scale_y = frame_w / crop_w, frame_h / crop_h
    # Pixel centres lie at whole coordinates, so the frame spans [-0.5, W - 0.5].
    shift_x, shift_y = -0.5 - (x0 - 0.5) * scale_x, -0.5 - (y0 - 0.5) * scale_y
    mirrored = flip < config.flip
    zero = torch.zeros_like(x0)
    row_x = torch.stack(
        [
            torch.where(mirrored, -scale_x, scale_x),
            zero,
            torch.where(mirrored, frame_w - 1 - shift_x, shift_x),
        ],
        dim=1,
    )
    row_y = torch.stack([zero, scale_y, shift_y], dim=1)
    return torch.stack([row_x, row_y], dim=1)


def _recolour(
    images: Float[Tensor, "b c h w"],
    draws: list[Float[Tensor, "b"]],
    config: AugmentationConfig,
) -> Float[Tensor, "b c h w"]:
    brightness, contrast, saturation, hue, grayscale = draws
    if config.brightness:
        images = adjust_brightness(images, config.brightness * (2 * brightness - 1))
    if config.contrast:
        images = adjust_contrast(images, 1 + config.contrast * (2 * contrast - 1))
    if images.shape[1] == 1:
        return images
    if config.saturation:
        images = adjust_saturation(images, 1 + config.saturation * (2 * saturation - 1))
    if config.hue:
        images = adjust_hue(images, 2 * math.pi * config.hue * (2 * hue - 1))
    if config.grayscale:
        gray = rgb_to_grayscale(images).expand_as(images)
        images = torch.where((grayscale < config.grayscale)[:, None, None, None], gray, images)
    return images.clamp(0, 1)
