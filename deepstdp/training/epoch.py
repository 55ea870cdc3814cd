"""One epoch of supervised learning on pseudo-labels."""

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn import functional

from deepstdp.backbones import Network
from deepstdp.config import AugmentationConfig, TrainingConfig
from deepstdp.data.augment import augment
from deepstdp.data.images import Images
from deepstdp.errors import UserError
from deepstdp.progress import Progress
from deepstdp.training.dropout import keyed_dropout
from deepstdp.training.sampling import batches, occurrence_keys


def build_optimizer(network: Network, config: TrainingConfig) -> torch.optim.SGD:
    """SGD over everything that can be learnt."""
    return torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )


def forget_head(network: Network, optimizer: torch.optim.SGD, seed: int, epoch: int) -> None:
    """Make a new head, and forget its momentum."""
    network.reset_head(seed, epoch)
    for parameter in network.head.parameters():
        optimizer.state.pop(parameter, None)


def train_epoch(
    network: Network,
    optimizer: torch.optim.SGD,
    images: Images,
    pseudo_labels: Int64[Tensor, "n"],
    order: Int64[np.ndarray, "m"],
    seed: int,
    epoch: int,
    config: TrainingConfig,
    augmentation: AugmentationConfig,
    progress: Progress,
) -> float:
    """Minimise the cross-entropy of the pseudo-labels on augmented images.

    Args:
        network: trained in place.
        optimizer: of the network's parameters.
        images: all training images.
        pseudo_labels: one for each.
        order: the images to show, in order.
        seed: the run's seed.
        epoch: keys augmentation and dropout.
        config: batch size and dropout.
        augmentation: strengths.
        progress: follows the steps.

    Returns:
        The mean loss.

    Raises:
        UserError: the loss is not finite.
    """
    network.train()
    device = pseudo_labels.device
    indices = torch.from_numpy(order).to(device)
    keys = torch.from_numpy(occurrence_keys(order)).to(device)
    total = torch.zeros((), device=device)
    steps = batches(len(order), config.batch_size)
    shown = zip(steps, images.batches([indices[rows] for rows in steps]), strict=True)
    for rows, batch in progress.track(shown, f"epoch {epoch}", len(steps)):
        batch_keys = keys[rows]
        features = network.features(augment(batch, batch_keys, seed, epoch, augmentation))
        features = keyed_dropout(features, batch_keys, config.dropout, seed, epoch)
        loss = functional.cross_entropy(network.head(features), pseudo_labels[indices[rows]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch)
    mean = total.item() / len(order)
    if not np.isfinite(mean):
        raise UserError(
            f"training diverged: the loss is {mean} in epoch {epoch}; "
            "lower --training.learning_rate"
        )
    return mean
