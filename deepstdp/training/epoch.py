"""One epoch of learning what the clusterer says."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor
from torch.nn import functional

from deepstdp.backbones import Network
from deepstdp.config import Config
from deepstdp.data.images import Images
from deepstdp.errors import UserError
from deepstdp.files import require_real
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.processes import Group
from deepstdp.progress import Progress
from deepstdp.runtime import Runtime
from deepstdp.training.compilation import compiled
from deepstdp.training.dropout import dropout_mask
from deepstdp.training.sampling import batches, epoch_order, occurrence_keys
from deepstdp.training.schedule import learning_rate
from deepstdp.training.teacher import follow
from deepstdp.training.views import ASSIGNED, make_view, make_views, view_keys

Targets = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, "b k"]]
"""From an augmented view of each image to a distribution over clusters."""


AfterStep = Callable[[int, Float[Tensor, ""]], None]
"""Told how many steps of the epoch are done, and the sum of their losses on this process."""


@dataclass(frozen=True)
class Begun:
    """How far an epoch had come when the run stopped.

    Attributes:
        step: steps done.
        loss_sums: sum of their losses on each process.
    """

    step: int = 0
    loss_sums: list[float] = field(default_factory=list)


FROM_THE_START = Begun()


class Trainer:
    """SGD on the cross-entropy of the targets.

    Args:
        network: trained in place; with ``training.teacher_momentum`` it is the teacher, which
            follows the trained network.
        config: of the run.
        runtime: the processes that share each batch, and their devices.
        progress: follows the steps.

    Attributes:
        student: what is trained: the network, or a copy that it follows.
        optimizer: of everything that can be learnt.
    """

    def __init__(
        self, network: Network, config: Config, runtime: Runtime, progress: Progress
    ) -> None:
        training = config.training
        self._network, self._config, self._runtime = network, config, runtime
        self._progress = progress
        self.student = copy.deepcopy(network) if training.teacher_momentum > 0 else network
        self.optimizer = torch.optim.SGD(
            self.student.parameters(),
            lr=training.learning_rate,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
        )
        # Fabric's copies cast, average gradients over processes and scale the loss.
        self._module, self._stepper = runtime.fabric.setup(self.student, self.optimizer)
        self._forward: Callable[..., Any] = self._module
        self._show: Callable[..., Any] = self._shown
        self._assigned: Callable[..., Any] = self._assigned_view
        if config.compile:
            self._forward = compiled(self._module, "the network", progress)
            self._show = compiled(self._show, "the augmentation", progress)
            self._assigned = compiled(self._assigned, "the augmentation", progress)

    def forget_head(self, epoch: int) -> None:
        """Make a new head, and forget its momentum."""
        self.student.reset_head(self._config.seed, epoch)
        for parameter in self.student.head.parameters():
            self.optimizer.state.pop(parameter, None)

    def momentum(self) -> dict[str, Tensor]:
        """The optimiser's state, by the names of the student's parameters."""
        named = self.student.named_parameters()
        states = {name: self.optimizer.state.get(parameter) for name, parameter in named}
        return {name: state["momentum_buffer"] for name, state in states.items() if state}

    def restore_momentum(self, buffers: dict[str, Tensor]) -> None:
        """Continue from ``momentum()``.

        Raises:
            ValueError: a tensor of another shape than its parameter's.
        """
        for name, parameter in self.student.named_parameters():
            if name in buffers:
                require_real(name, buffers[name], *parameter.shape)
                buffer = buffers[name].to(parameter.device)
                self.optimizer.state[parameter]["momentum_buffer"] = buffer

    def loss_scale(self) -> dict[str, float]:
        """State of the scaling of ``16-mixed``, to be saved."""
        return self._runtime.fabric.strategy.precision.state_dict()

    def restore_loss_scale(self, state: dict[str, float]) -> None:
        """Continue from ``loss_scale()``."""
        self._runtime.fabric.strategy.precision.load_state_dict(state)

    def epoch(
        self,
        images: Images,
        pseudo_labels: Int64[Tensor, "n"],
        epoch: int,
        targets: Targets | None = None,
        begun: Begun = FROM_THE_START,
        after_step: AfterStep | None = None,
    ) -> float:
        """Show as many images as there are, once augmented.

        Args:
            images: all training images.
            pseudo_labels: one for each, alike on all processes; the sampler's, and the targets.
            epoch: keys order, augmentation and dropout.
            targets: what batches are to be classified as, in the place of the pseudo-labels.
            begun: how far the epoch has come already.
            after_step: called after each step; may end the epoch by an exception.

        Returns:
            The mean loss.

        Raises:
            UserError: the loss is not finite.
        """
        config, group = self._config, self._runtime.group
        order = epoch_order(pseudo_labels, config.training.sampler, config.seed, epoch)
        keys = occurrence_keys(order)
        self.student.train()
        now = torch.tensor(epoch, device=pseudo_labels.device)
        total = torch.tensor(_loss_sum(begun, group), device=pseudo_labels.device)
        steps = batches(len(order), config.training.batch_size, max(2, group.size))[begun.step :]
        own = [_share(rows, group.rank, group.size) for rows in steps]
        shown = zip(steps, own, images.batches([order[rows] for rows in own]), strict=True)
        tracked = self._progress.track(shown, f"epoch {epoch}", len(steps))
        for step, (rows, mine, batch) in enumerate(tracked, begun.step + 1):
            self._set_learning_rate(epoch - 1 + rows.stop / len(order))
            if targets is None:
                wanted = pseudo_labels[order[mine]]
            else:
                wanted = targets(self._assigned(batch, keys[mine], now))
            with self._draws_of(epoch, step):
                total += self._step(batch, keys[mine], wanted, rows.stop - rows.start, now)
            if after_step is not None:
                after_step(step, total)
        mean = group.sum(total).item() / len(order)
        group.each(lambda: _check_finite(mean, epoch))
        return mean

    @contextmanager
    def _draws_of(self, epoch: int, step: int) -> Iterator[None]:
        """PyTorch's own generator as a function of seed, epoch and step; the user's is untouched.

        For layers of a backbone of the user's own: none of ours draws from it.
        """
        if self._config.backbone.class_path is None:
            yield
            return
        device, rank = self._runtime.device, self._runtime.group.rank
        key = numpy_generator(self._config.seed, Stream.OWN_LAYERS, epoch, step, rank)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(int(key.integers(2**63)))
            yield

    def _set_learning_rate(self, progress: float) -> None:
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = learning_rate(self._config.training, progress)

    def _step(
        self,
        images: UInt8[Tensor, "b c h w"],
        keys: Int64[Tensor, "b"],
        wanted: Shaped[Tensor, "b ..."],
        n_samples: int,
        epoch: Int64[Tensor, ""],
    ) -> Float[Tensor, ""]:
        """Learn from a batch of ``n_samples`` over all processes; the sum of the losses here."""
        views, mask = self._show(images, keys, epoch)
        n_views = len(views) // len(images)
        logits = self._forward(views.contiguous(memory_format=torch.channels_last), mask)
        wanted = torch.cat([wanted] * n_views)
        loss = functional.cross_entropy(logits, wanted, reduction="sum") / n_views
        self._stepper.zero_grad()
        # DDP averages over processes what must be the mean over samples.
        self._runtime.fabric.backward(loss * (self._runtime.group.size / n_samples))
        self._stepper.step()
        if self.student is not self._network:
            follow(self._network, self.student, self._config.training.teacher_momentum)
        return loss.detach()

    def _shown(
        self, images: UInt8[Tensor, "b c h w"], keys: Int64[Tensor, "b"], epoch: Int64[Tensor, ""]
    ) -> tuple[Float[Tensor, "vb c h w"], Float[Tensor, "vb d"] | None]:
        """Augmented views of the images and a dropout mask, if there is dropout."""
        config, rate = self._config, self._config.training.dropout
        views = make_views(images, keys, epoch, config)
        if rate == 0:
            return views, None
        every = torch.cat([view_keys(keys, v) for v in range(len(views) // len(images))])
        return views, dropout_mask(every, self.student.n_features, rate, config.seed, epoch)

    def _assigned_view(
        self, images: UInt8[Tensor, "b c h w"], keys: Int64[Tensor, "b"], epoch: Int64[Tensor, ""]
    ) -> Float[Tensor, "b c h w"]:
        return make_view(images, keys, epoch, ASSIGNED, self._config)


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"training diverged: the loss is {loss} in epoch {epoch}; "
            "lower --training.learning_rate"
        )


def _loss_sum(begun: Begun, group: Group) -> float:
    """Own part of the sum; the first process takes all, if another number of them had parts."""
    if len(begun.loss_sums) == group.size:
        return begun.loss_sums[group.rank]
    return sum(begun.loss_sums, 0.0) if group.is_first else 0.0


def _share(rows: slice, rank: int, size: int) -> slice:
    """The part of a batch that a process takes."""
    n = rows.stop - rows.start
    return slice(rows.start + n * rank // size, rows.start + n * (rank + 1) // size)
