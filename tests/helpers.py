"""What several tests make their inputs with."""

import io

import numpy as np
from PIL import Image


def image_bytes(value: int, size: int = 16, kind: str = "PNG") -> bytes:
    """A random image around a gray value."""
    rng = np.random.default_rng(value)
    pixels = np.clip(rng.normal(value, 30, (size, size, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()
