"""Features of a whole set of images."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from deepstdp.backbones import Network
from deepstdp.progress import Progress


@torch.no_grad()
def extract(
    network: Network,
    images: UInt8[Tensor, "n c h w"],
    batch_size: int,
    progress: Progress,
    description: str = "features",
) -> Float[Tensor, "n d"]:
    """Features of un-augmented images by the network in eval mode, written once into one tensor."""
    was_training = network.training
    network.eval()
    features = torch.empty(len(images), network.n_features, device=images.device)
    starts = range(0, len(images), batch_size)
    for start in progress.track(starts, description, len(starts)):
        batch = images[start : start + batch_size].to(torch.float32) / 255
        features[start : start + batch_size] = network.features(batch)
    network.train(was_training)
    return features
