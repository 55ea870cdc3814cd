"""From image files to one uint8 tensor."""

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from deepstdp.data.file_tree import FileTree
from deepstdp.errors import UserError
from deepstdp.progress import Progress

Pixels = UInt8[np.ndarray, "c h w"]


def decode(content: bytes, size: int | None, n_channels: int = 3) -> Pixels:
    """Decode one image as RGB (or gray, with one channel).

    With ``size``, its shorter side is scaled to that and the centre is cut out.
    """
    with Image.open(io.BytesIO(content)) as file:
        # Pillow cuts 16-bit gray at 255 instead of scaling it.
        deep = file.mode.startswith("I;16")
        gray = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8)) if deep else file
        image = gray.convert("RGB" if n_channels == 3 else "L")
    if size is not None and image.size != (size, size):
        scale = size / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    pixels = np.asarray(image).reshape(image.height, image.width, n_channels)
    return pixels.transpose(2, 0, 1).copy()


def decode_all(
    tree: FileTree,
    names: Sequence[str],
    size: int | None,
    on_error: Literal["stop", "skip"],
    progress: Progress,
    n_channels: int = 3,
) -> tuple[UInt8[Tensor, "n c h w"], list[int]]:
    """Decode the named files, in parallel.

    Returns:
        The images, and the positions in ``names`` of those that could be decoded.

    Raises:
        UserError: a file that cannot be decoded (with ``on_error="stop"``), none that can, or
            images of different sizes with no ``size`` given.
    """

    def attempt(name: str) -> Pixels | Exception:
        try:
            return decode(tree.read(name), size, n_channels)
        except Exception as error:  # damaged files and archives raise all kinds
            return error

    images: list[Pixels] = []
    kept: list[int] = []
    with ThreadPoolExecutor(cpu_count()) as pool:
        results: Iterable[Pixels | Exception] = pool.map(attempt, names)
        results = progress.track(results, "decoding images", len(names))
        for position, result in enumerate(results):
            if not isinstance(result, Exception):
                images.append(result)
                kept.append(position)
            elif on_error == "stop":
                pool.shutdown(cancel_futures=True)
                raise UserError(
                    f"cannot decode {names[position]} ({_reason(result)}); "
                    "--data.on_error skip leaves such files out"
                )
    if not images:
        raise UserError(f"none of the {len(names)} image files can be decoded")
    shapes = {image.shape[1:] for image in images}
    if len(shapes) > 1:
        (h, w), (h2, w2) = sorted(shapes)[:2]
        raise UserError(
            f"images differ in size ({w}x{h}, {w2}x{h2}, ...): give --data.image_size, e.g. 64"
        )
    return torch.from_numpy(np.stack(images)), kept


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return str(error).split("\n")[0] or type(error).__name__
