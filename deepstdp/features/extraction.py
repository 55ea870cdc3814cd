"""Features of a whole set of images."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.backbones import Network
from deepstdp.data.images import Images, Part
from deepstdp.progress import Progress


def extract(
    network: Network,
    images: Images,
    parts: list[Part],
    progress: Progress,
    description: str = "features",
) -> Iterator[Float[Tensor, "b d"]]:
    """Features of un-augmented images by the network in eval mode, part after part."""
    was_training = network.training
    network.eval()
    try:
        for batch in progress.track(images.batches(parts), description, len(parts)):
            with torch.no_grad():
                features = network.features(batch.to(torch.float32) / 255)
            yield features
    finally:
        network.train(was_training)
