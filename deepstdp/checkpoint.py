"""Where a run stands, kept on disk: enough to go on as if it had never stopped.

No generator has a state to save, since all randomness is keyed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering import Assignment, Clusterer
from deepstdp.errors import UserError, first_line
from deepstdp.evaluation.measure import Metrics, are_correct_images
from deepstdp.files import (
    MISFITS,
    Record,
    Tensors,
    load_tensors,
    prefixed,
    require_real,
    unprefixed,
)
from deepstdp.interruption import Interrupted, StopRequest
from deepstdp.pipeline import STAGES, Loop
from deepstdp.processes import Group
from deepstdp.progress import Progress
from deepstdp.run_dir import RunDir
from deepstdp.training.epoch import Begun

_STEPS_TOGETHER = 8
"""Steps after which several processes agree on whether to save or to stop."""


@dataclass
class Position:
    """How far a run has come.

    Attributes:
        epoch: epochs done.
        begun: how far the next one has come.
        untrained: measurements before the first epoch.
        untrained_correct: which images were right then (see ``correct_images``).
        assignment: measurements of the current pseudo-labels.
        seconds: time spent by stage, evaluation included.
        wall_seconds: time since the start, of all sessions of the run.
        loss_scale: state of ``16-mixed``'s loss scaling; empty for other precisions.
        images: fingerprint of those that are learnt from.
    """

    epoch: int = 0
    begun: Begun = field(default_factory=Begun)
    untrained: Metrics = field(default_factory=dict)
    untrained_correct: dict[str, str] = field(default_factory=dict)
    assignment: Metrics = field(default_factory=dict)
    seconds: dict[str, float] = field(
        default_factory=lambda: {f"seconds_{stage}": 0.0 for stage in STAGES}
    )
    wall_seconds: float = 0.0
    loss_scale: dict[str, float] = field(default_factory=dict)
    images: str = ""


class Keeper:
    """Writes checkpoints of a run: when they are due, and when it is told to stop.

    Args:
        run: where to.
        loop: what is saved.
        position: where it stands; kept up to date.
        stop: the request to stop.
        started: when this session of the run began, on the clock of ``time.perf_counter``.
    """

    def __init__(
        self, run: RunDir, loop: Loop, position: Position, stop: StopRequest, started: float
    ) -> None:
        self._run, self._loop, self._position, self._stop = run, loop, position, stop
        self._group = loop.model.runtime.group
        self._earlier, self._started = position.wall_seconds, started
        self._saved_at = self.wall_seconds()

    def wall_seconds(self) -> float:
        """Time since the start, of all sessions of the run."""
        return self._earlier + time.perf_counter() - self._started

    def after_step(self, step: int, loss_sum: Float[Tensor, ""]) -> None:
        """Save if it is time, and end the run if it was told to stop.

        Args:
            step: steps of this epoch that are done.
            loss_sum: sum of their losses on this process.

        Raises:
            Interrupted: it was.
        """
        if self._group.size > 1 and step % _STEPS_TOGETHER:
            return
        self._keep(lambda: Begun(step, self._group.gather(loss_sum.reshape(1)).tolist()))

    def after_epoch(self, epoch: int, seconds: dict[str, float]) -> None:
        """The same between two epochs.

        Args:
            epoch: epochs done.
            seconds: that the last one took, by stage.

        Raises:
            Interrupted: see ``after_step``.
        """
        position = self._position
        position.epoch, position.begun = epoch, Begun()
        for name, value in seconds.items():
            position.seconds[name] += value
        self._keep(Begun)

    def _keep(self, begun: Callable[[], Begun]) -> None:
        """Save a checkpoint here, if it is due or the last; ``begun`` is asked only then."""
        stop, due = self._agreed()
        if stop or due:
            self._position.begun = begun()
            self._position.wall_seconds = self.wall_seconds()
            rows = _rows_of_all(self._loop.model.clusterer, self._group)
            self._group.first(lambda: save_checkpoint(self._run, self._loop, self._position, rows))
            self._saved_at = self.wall_seconds()
        if stop:
            raise Interrupted(f"stopped: --resume goes on from {self._run.path}")

    def _agreed(self) -> tuple[bool, bool]:
        """Whether any process was told to stop, and whether the first one's clock says it is time.

        Without several processes nothing is exchanged.
        """
        minutes = (self.wall_seconds() - self._saved_at) / 60
        due = self._group.is_first and minutes >= self._loop.config.training.checkpoint_minutes
        stop, due_too = self._group.sum(torch.tensor([self._stop.is_made, due]).long()).tolist()
        return stop > 0, due_too > 0


def save_checkpoint(run: RunDir, loop: Loop, position: Position, rows: Tensors) -> None:
    """Write a checkpoint.

    Args:
        run: where to.
        loop: what is saved.
        position: where it stands.
        rows: what single processes remember, of all of them.

    Raises:
        UserError: weights or losses are no numbers any more; nothing is written then.
    """
    trainer = loop.trainer
    tensors = prefixed("network", loop.model.network.state_dict())
    if trainer.student is not loop.model.network:
        tensors |= prefixed("student", trainer.student.state_dict())
    is_finite = all(torch.isfinite(value).all() for value in tensors.values())
    if not is_finite or not all(map(math.isfinite, position.begun.loss_sums)):
        raise UserError(
            "training diverged: weights or losses are not finite; lower --training.learning_rate"
        )
    tensors |= prefixed("momentum", trainer.momentum())
    tensors |= loop.model.clustering_tensors() | prefixed("rows", rows)
    if loop.assignment is not None:
        tensors["pseudo_labels"] = loop.assignment.labels
    position.assignment = loop.assignment_metrics
    position.loss_scale = trainer.loss_scale()
    info = asdict(position) | {"lap": loop.clock.so_far()}
    number = (position.epoch, position.begun.step)
    run.save_checkpoint(number, tensors, info, loop.config.training.checkpoints_kept)


def restore_checkpoint(run: RunDir, loop: Loop, images: str, progress: Progress) -> Position:
    """Take up the last checkpoint that is whole; from the start, if there is none.

    Damaged ones are reported, and put aside as ``.damaged``.

    Args:
        run: where from.
        loop: takes it up.
        images: fingerprint of the loop's.
        progress: is told.

    Raises:
        UserError: a checkpoint that is whole does not fit the run, or is of other images.
    """
    group = loop.model.runtime.group
    found = group.first(lambda: _last_whole(run, progress))
    if found is None:
        return Position(images=images)
    path, (tensors, info) = found
    if info.get("images") != images:
        raise UserError(
            f"{run.path} was begun with other images: give the same ones, or choose another folder"
        )
    try:
        position = _take_up(loop, tensors, info)
    except MISFITS as error:
        raise UserError(f"{path} is no checkpoint of this run ({first_line(error)})") from None
    epoch, step = position.epoch, position.begun.step
    where = f"in epoch {epoch + 1}, after step {step}" if step else f"after epoch {epoch}"
    progress.line(f"going on {where}")
    return position


def _last_whole(run: RunDir, progress: Progress) -> tuple[Path, tuple[Tensors, Record]] | None:
    for path in run.checkpoints():
        try:
            return path, load_tensors(path)
        except (UserError, OSError) as error:
            progress.line(f"{first_line(error)}: going on from the one before it")
            path.rename(path.with_suffix(".damaged"))
    return None


def _take_up(loop: Loop, tensors: Tensors, info: Record) -> Position:
    trainer, info = loop.trainer, dict(info)
    loop.model.network.load_state_dict(unprefixed("network", tensors))
    if trainer.student is not loop.model.network:
        trainer.student.load_state_dict(unprefixed("student", tensors))
    trainer.restore_momentum(unprefixed("momentum", tensors))
    loop.model.load_clustering_tensors(tensors)
    if loop.model.clusterer is not None:
        rows = {n: x.to(loop.model.device) for n, x in unprefixed("rows", tensors).items()}
        loop.model.clusterer.load_own_rows(_own_rows(rows, loop.model.runtime.group))
    if "reducer.last" in tensors:
        require_real("reducer.last", tensors["reducer.last"], loop.n_held, None)
    if "pseudo_labels" in tensors:
        labels = tensors["pseudo_labels"].to(loop.model.device)
        _check_labels(labels, loop)
        loop.assignment = Assignment(labels, loop.config.clustering.n_clusters)
    lap = info.pop("lap")
    position = Position(**{**info, "begun": Begun(**info["begun"])})
    _check_position(position, lap, loop)
    loop.clock.resume(lap)
    loop.assignment_metrics = position.assignment
    trainer.restore_loss_scale(position.loss_scale)
    return position


def _rows_of_all(clusterer: Clusterer | None, group: Group) -> Tensors:
    """Samples that processes remember, one process's after the other's, and how many of each."""
    own = {} if clusterer is None else clusterer.own_rows()
    counts = {f"{name}.counts": torch.tensor(group.counts(len(x))) for name, x in own.items()}
    return {name: group.gather(x) for name, x in own.items()} | counts


def _own_rows(rows: Tensors, group: Group) -> Tensors:
    """Those of this process again; if there are more or fewer of them by now, an equal share."""
    own = {}
    for name in (name for name in rows if f"{name}.counts" in rows):
        counts, x = rows[f"{name}.counts"].tolist(), rows[name]
        if len(counts) == group.size and min(counts) >= 0 and sum(counts) == len(x):
            own[name] = x.split(counts)[group.rank]
        else:
            share = group.shard(len(x))
            own[name] = x[share.start : share.stop]
    return own


def _check_labels(labels: Tensor, loop: Loop) -> None:
    n, k = loop.n_train, loop.config.clustering.n_clusters
    is_whole = labels.dtype == torch.int64 and labels.shape == (n,)
    if not is_whole or labels.min() < 0 or labels.max() >= k:
        raise ValueError(f"its labels are no {n} whole numbers from 0 to {k - 1}")


def _check_position(position: Position, lap: Any, loop: Loop) -> None:
    """Whatever is read is of a stranger until it is checked.

    Raises:
        ValueError: it is no place in this run.
    """
    begun = position.begun
    numbers = [
        *(position.wall_seconds, *begun.loss_sums),
        *(lap.get(stage, 0.0) for stage in STAGES),
        *(position.seconds[f"seconds_{stage}"] for stage in STAGES),
    ]
    counts = ((position.epoch, loop.n_epochs), (begun.step, loop.n_train))
    if not all(type(n) is int and 0 <= n <= most for n, most in counts):
        raise ValueError(f"there is no step {begun.step} after epoch {position.epoch}")
    if not all(type(x) in (int, float) and math.isfinite(x) for x in numbers):
        raise ValueError("its seconds and losses are no numbers")
    if begun.step > 0 and loop.assignment is None:
        raise ValueError("an epoch has begun without labels")
    for metrics in (position.untrained, position.assignment):
        if not all(value is None or type(value) in (int, float) for value in metrics.values()):
            raise ValueError("its measurements are no numbers")
    if not are_correct_images(position.untrained_correct):
        raise ValueError("what was right before the first epoch is no row of 0 and 1")
