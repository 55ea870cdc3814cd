"""Features of a whole set of images, and where they are kept when they are many."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.backbones import Network
from deepstdp.data.images import Images, Part
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.progress import Progress


def extract(
    network: Network,
    images: Images,
    parts: list[Part],
    progress: Progress,
    autocast: Callable[[], AbstractContextManager[None]],
    function: Callable[[Tensor], Tensor],
) -> Iterator[Float[Tensor, "b d"]]:
    """Features of un-augmented images by the network in eval mode, part after part.

    Args:
        network: put into eval mode meanwhile.
        images: all of them.
        parts: indices of each batch.
        progress: follows the batches.
        autocast: the precision of the arithmetic.
        function: the network's ``features``, perhaps compiled.
    """
    was_training, dtype = network.training, network.dtype
    network.eval()
    try:
        for batch in progress.track(images.batches(parts), "features", len(parts)):
            pixels = batch.to(dtype, memory_format=torch.channels_last) / 255
            with torch.no_grad(), autocast():
                features = function(pixels)
            yield features.to(dtype)
    finally:
        network.train(was_training)


def held_rows(n: int, most: int, seed: int) -> Int64[np.ndarray, "m"]:
    """Which of n images keep their full features: all, or so many at random, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(numpy_generator(seed, Stream.HELD).permutation(n)[:most])


def mapped(shape: tuple[int, int], dtype: torch.dtype, folder: Path) -> Float[Tensor, "n p"]:
    """A tensor in a file of ``folder`` that has no name, and is gone with the tensor.

    Its pages are the system's to write back, so it may be larger than memory.
    """
    kind = torch.empty((), dtype=dtype).numpy().dtype
    with tempfile.TemporaryFile(dir=folder) as file:
        return torch.from_numpy(np.memmap(file, kind, "w+", shape=shape))
