"""From image files to uint8 pixels: one by one, or all into memory."""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image, UnidentifiedImageError

from deepstdp.data.images import InMemory, Shape
from deepstdp.data.limits import MOST_PIXELS
from deepstdp.data.readers import Reader
from deepstdp.errors import UserError, first_line
from deepstdp.processes import usable_cpus
from deepstdp.progress import Progress

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""No others are tried: Pillow hands some of those to programs such as Ghostscript."""

Pixels = UInt8[np.ndarray, "c h w"]


@dataclass(frozen=True)
class Undecodable:
    """A file that is no image, or a damaged one."""

    reason: str


@dataclass(frozen=True)
class Decoder:
    """Decodes files by position; knows no names, so that a copy in another process is small.

    Args:
        reader: the files.
        size: side length to which images are brought; None keeps their own size.
        n_channels: 3, or 1 for gray.
    """

    reader: Reader
    size: int | None
    n_channels: int

    def __call__(self, position: int) -> Pixels | Undecodable:
        """The pixels of one file."""
        try:
            return decode(self.reader.read(position), self.size, self.n_channels)
        except UnidentifiedImageError:
            return Undecodable("not an image")
        except Exception as error:  # damaged files and archives raise all kinds
            return Undecodable(first_line(error))


@dataclass(frozen=True)
class ImageFiles:
    """Image files that are to become images of one shape.

    Args:
        decoder: decodes them.
        names: one a file.
        on_error: what to do about one that cannot be decoded.
    """

    decoder: Decoder
    names: Sequence[str]
    on_error: Literal["stop", "skip"]

    def shape(self) -> Shape:
        """(C, H, W) of all images, which is that of the first.

        Raises:
            UserError: it cannot be decoded (with ``on_error="skip"``: none can).
        """
        size, n_channels = self.decoder.size, self.decoder.n_channels
        if size is not None:
            return n_channels, size, size
        for position in range(len(self.names)):
            first = self.decoder(position)
            if not isinstance(first, Undecodable):
                return n_channels, *first.shape[1:]
            if self.on_error == "stop":
                raise self.undecodable(position, first)
        raise self.none_decodable(len(self.names))

    def undecodable(self, position: int, found: Undecodable) -> UserError:
        """What to say about a file that cannot be decoded."""
        hint = "; --data.on_error skip leaves such files out" if self.on_error == "stop" else ""
        return UserError(f"cannot decode {self.names[position]} ({found.reason}){hint}")

    def none_decodable(self, n: int) -> UserError:
        """What to say where no file is left."""
        return UserError(f"none of the {n} image files can be decoded")

    def misshapen(self, position: int, found: Shape, expected: Shape) -> UserError:
        """What to say about an image that differs from the others."""
        (_, height, width), (_, h, w) = expected, found
        return UserError(
            f"images differ in size ({width}x{height}, but {self.names[position]} is {w}x{h}): "
            "give --data.image_size, e.g. 64"
        )


def decode(content: bytes, size: int | None, n_channels: int = 3) -> Pixels:
    """Decode one image as RGB (or gray, with one channel).

    With ``size``, its shorter side is scaled to that and the centre is cut out.

    Raises:
        UnidentifiedImageError: it is none of ``FORMATS``.
        ValueError: it has more pixels than an image may have; damaged ones raise all kinds.
    """
    with Image.open(io.BytesIO(content), formats=FORMATS) as file:
        if file.width * file.height > MOST_PIXELS:
            raise ValueError(f"{file.width} x {file.height} pixels, more than {MOST_PIXELS}")
        # Pillow cuts 16-bit gray at 255 instead of scaling it.
        deep = file.mode.startswith("I;16")
        gray = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8)) if deep else file
        image = gray.convert("RGB" if n_channels == 3 else "L")
    if size is not None and image.size != (size, size):
        scale = size / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        if width * height > MOST_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are too long and thin")
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    pixels = np.asarray(image).reshape(image.height, image.width, n_channels)
    return pixels.transpose(2, 0, 1).copy()


def decode_all(
    files: ImageFiles, part: range, progress: Progress
) -> tuple[InMemory, Int64[np.ndarray, "n"]]:
    """Decode the files at some positions, in parallel.

    Returns:
        The images, and the positions of those that could be decoded.

    Raises:
        UserError: a file that cannot be decoded (with ``on_error="stop"``), none that can, or
            images of different sizes with no ``size`` given.
    """
    pixels: UInt8[np.ndarray, "n c h w"] | None = None
    kept: list[int] = []
    with ThreadPoolExecutor(usable_cpus()) as pool:
        decoded = pool.map(files.decoder, part)
        try:
            for position, found in zip(
                part, progress.track(decoded, "decoding images", len(part)), strict=True
            ):
                if isinstance(found, Undecodable):
                    if files.on_error == "stop":
                        raise files.undecodable(position, found)
                    continue
                if pixels is None:
                    pixels = np.empty((len(part), *found.shape), np.uint8)
                if found.shape != pixels.shape[1:]:
                    raise files.misshapen(position, found.shape, pixels.shape[1:])
                pixels[len(kept)] = found
                kept.append(position)
        finally:
            pool.shutdown(cancel_futures=True)
    if pixels is None:
        raise files.none_decodable(len(part))
    return InMemory(torch.from_numpy(pixels[: len(kept)])), np.array(kept)
