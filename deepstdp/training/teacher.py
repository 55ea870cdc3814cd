"""The teacher: a network that follows the trained one slowly (Tarvainen and Valpola 2017)."""

import torch
from torch import nn


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move the teacher's state: t <- m t + (1 - m) s, for weights and running statistics alike.

    Args:
        teacher: moved in place.
        student: has the same shape.
        momentum: m; whole numbers, such as counts of batches, are taken over.
    """
    for mine, theirs in zip(
        teacher.state_dict().values(), student.state_dict().values(), strict=True
    ):
        if mine.is_floating_point():
            mine.lerp_(theirs, 1 - momentum)
        else:
            mine.copy_(theirs)
