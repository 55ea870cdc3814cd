"""Where a run stands: enough to go on as if it had never stopped.

No generator has a state to save, since all randomness is keyed.
"""

from dataclasses import dataclass, field

from deepstdp.clustering import Assignment
from deepstdp.evaluation.measure import Metrics
from deepstdp.files import Tensors, prefixed, unprefixed
from deepstdp.pipeline import STAGES, Loop
from deepstdp.run_dir import RunDir


@dataclass
class Position:
    """How far a run has come.

    Attributes:
        epoch: epochs done.
        untrained: measurements before the first epoch.
        assignment: measurements of the current pseudo-labels.
        seconds: time spent by stage, evaluation included.
        wall_seconds: time since the start, of all sessions of the run.
        saved_at: ``wall_seconds`` when the last checkpoint was due.
        loss_scale: state of ``16-mixed``'s loss scaling; empty for other precisions.
    """

    epoch: int = 0
    untrained: Metrics = field(default_factory=dict)
    assignment: Metrics = field(default_factory=dict)
    seconds: dict[str, float] = field(
        default_factory=lambda: {f"seconds_{stage}": 0.0 for stage in STAGES}
    )
    wall_seconds: float = 0.0
    saved_at: float = 0.0
    loss_scale: dict[str, float] = field(default_factory=dict)


def save_checkpoint(run: RunDir, loop: Loop, position: Position) -> None:
    """Write a checkpoint. No generator has a state to save: all randomness is keyed."""
    tensors = prefixed("network", loop.model.network.state_dict())
    if loop.trainer.student is not loop.model.network:
        tensors |= prefixed("student", loop.trainer.student.state_dict())
    tensors |= prefixed("momentum", _momentum(loop))
    tensors |= loop.model.clustering_tensors()
    if loop.assignment is not None:
        tensors["pseudo_labels"] = loop.assignment.labels
    position.assignment = loop.assignment_metrics
    position.loss_scale = loop.trainer.loss_scale()
    run.save_tensors("checkpoint", tensors, vars(position))


def restore_checkpoint(run: RunDir, loop: Loop) -> Position:
    """Take up what ``save_checkpoint`` wrote.

    Raises:
        UserError: the checkpoint is damaged.
    """
    tensors, info = run.load_tensors("checkpoint")
    loop.model.network.load_state_dict(unprefixed("network", tensors))
    if loop.trainer.student is not loop.model.network:
        loop.trainer.student.load_state_dict(unprefixed("student", tensors))
    for name, parameter in loop.trainer.student.named_parameters():
        if f"momentum.{name}" in tensors:
            buffer = tensors[f"momentum.{name}"].to(parameter.device)
            loop.trainer.optimizer.state[parameter]["momentum_buffer"] = buffer
    loop.model.load_clustering_tensors(tensors)
    if "pseudo_labels" in tensors:
        labels = tensors["pseudo_labels"].to(loop.model.device)
        loop.assignment = Assignment(labels, loop.config.clustering.n_clusters)
    position = Position(**info)
    loop.assignment_metrics = position.assignment
    loop.trainer.restore_loss_scale(position.loss_scale)
    return position


def _momentum(loop: Loop) -> Tensors:
    states = {
        name: loop.trainer.optimizer.state.get(p)
        for name, p in loop.trainer.student.named_parameters()
    }
    return {name: s["momentum_buffer"] for name, s in states.items() if s}
