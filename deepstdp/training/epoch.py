"""One epoch of supervised learning on pseudo-labels."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from deepstdp.backbones import Network
from deepstdp.config import Config
from deepstdp.data.augment import augment
from deepstdp.data.images import Images
from deepstdp.errors import UserError
from deepstdp.progress import Progress
from deepstdp.runtime import Runtime
from deepstdp.training.compilation import compiled
from deepstdp.training.dropout import dropout_mask
from deepstdp.training.sampling import batches, epoch_order, occurrence_keys


class Trainer:
    """SGD on the cross-entropy of the pseudo-labels.

    Args:
        network: trained in place.
        config: of the run.
        runtime: the processes that share each batch, and their devices.
        progress: follows the steps.

    Attributes:
        optimizer: of everything that can be learnt.
    """

    def __init__(
        self, network: Network, config: Config, runtime: Runtime, progress: Progress
    ) -> None:
        training = config.training
        self._network, self._config, self._runtime = network, config, runtime
        self._progress = progress
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=training.learning_rate,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
        )
        # Fabric's copies cast, average gradients over processes and scale the loss.
        self._module, self._stepper = runtime.fabric.setup(network, self.optimizer)
        self._forward: Callable[..., Any] = self._module
        self._show: Callable[..., Any] = self._shown
        if config.compile:
            self._forward = compiled(self._module, "the network", progress)
            self._show = compiled(self._show, "the augmentation", progress)

    def forget_head(self, epoch: int) -> None:
        """Make a new head, and forget its momentum."""
        self._network.reset_head(self._config.seed, epoch)
        for parameter in self._network.head.parameters():
            self.optimizer.state.pop(parameter, None)

    def loss_scale(self) -> dict[str, float]:
        """State of the scaling of ``16-mixed``, to be saved."""
        return self._runtime.fabric.strategy.precision.state_dict()

    def restore_loss_scale(self, state: dict[str, float]) -> None:
        """Continue from ``loss_scale()``."""
        self._runtime.fabric.strategy.precision.load_state_dict(state)

    def epoch(self, images: Images, pseudo_labels: Int64[Tensor, "n"], epoch: int) -> float:
        """Show as many images as there are, once augmented.

        Args:
            images: all training images.
            pseudo_labels: one for each, alike on all processes.
            epoch: keys order, augmentation and dropout.

        Returns:
            The mean loss.

        Raises:
            UserError: the loss is not finite.
        """
        config, group = self._config, self._runtime.group
        order = epoch_order(pseudo_labels, config.training.sampler, config.seed, epoch)
        keys = occurrence_keys(order)
        self._network.train()
        now = torch.tensor(epoch, device=pseudo_labels.device)
        total = torch.zeros((), device=pseudo_labels.device)
        steps = batches(len(order), config.training.batch_size, max(2, group.size))
        own = [_share(rows, group.rank, group.size) for rows in steps]
        shown = zip(steps, own, images.batches([order[rows] for rows in own]), strict=True)
        for rows, mine, batch in self._progress.track(shown, f"epoch {epoch}", len(steps)):
            labels = pseudo_labels[order[mine]]
            total += self._step(batch, keys[mine], labels, rows.stop - rows.start, now)
        mean = group.sum(total).item() / len(order)
        group.each(lambda: _check_finite(mean, epoch))
        return mean

    def _step(
        self,
        images: UInt8[Tensor, "b c h w"],
        keys: Int64[Tensor, "b"],
        labels: Int64[Tensor, "b"],
        n_samples: int,
        epoch: Int64[Tensor, ""],
    ) -> Float[Tensor, ""]:
        """Learn from a batch of ``n_samples`` over all processes; the sum of the losses here."""
        augmented, mask = self._show(images, keys, epoch)
        logits = self._forward(augmented.contiguous(memory_format=torch.channels_last), mask)
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        self._stepper.zero_grad()
        # DDP averages over processes what must be the mean over samples.
        self._runtime.fabric.backward(loss * (self._runtime.group.size / n_samples))
        self._stepper.step()
        return loss.detach()

    def _shown(
        self, images: UInt8[Tensor, "b c h w"], keys: Int64[Tensor, "b"], epoch: Int64[Tensor, ""]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b d"] | None]:
        """Augmented images and a dropout mask, if there is dropout."""
        config, rate = self._config, self._config.training.dropout
        augmented = augment(images, keys, config.seed, epoch, config.augmentation)
        if rate == 0:
            return augmented, None
        return augmented, dropout_mask(keys, self._network.n_features, rate, config.seed, epoch)


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"training diverged: the loss is {loss} in epoch {epoch}; "
            "lower --training.learning_rate"
        )


def _share(rows: slice, rank: int, size: int) -> slice:
    """The part of a batch that a process takes."""
    n = rows.stop - rows.start
    return slice(rows.start + n * rank // size, rows.start + n * (rank + 1) // size)
