"""The processes that share a run, one a device, and how they add up.

Each holds a range of the rows of whatever there is one of an image: features, labels. What is
learnt (synapses, centroids, components, weights) all of them hold whole and alike.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor

from deepstdp.errors import UserError

T = TypeVar("T")


class Group:
    """The processes of a run; this base class is one that is alone.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def shard(self, n: int) -> range:
        """The rows of n that this process holds."""
        return range(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def rows(self, n_own: int) -> tuple[int, int]:
        """Where this process's rows start among those of all, and how many all have."""
        counts = self.counts(n_own)
        return sum(counts[: self.rank]), sum(counts)

    def counts(self, n_own: int) -> list[int]:
        """The number that each process gives."""
        return [n_own]

    def sum(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The sum over processes of tensors of one shape."""
        return x

    def gather(self, rows: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "m ..."]:
        """The rows of all processes, in their order."""
        return rows

    def first(self, action: Callable[[], T]) -> T:
        """What ``action`` gives in the first process, which alone does it, on all of them.

        Raises:
            UserError: on all, if the first process met an error; that one itself on the first.
        """
        return action()

    def each(self, action: Callable[[], T]) -> T:
        """What ``action`` gives on this process, if it succeeds on all.

        Raises:
            UserError: on all, if any process met one.
        """
        return action()


ALONE = Group()


class DistributedGroup(Group):
    """The processes of torch's default process group.

    Args:
        device: where this process's tensors are.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._device = device

    def counts(self, n_own: int) -> list[int]:
        """The number that each process gives."""
        own = torch.tensor([n_own], device=self._device)
        every = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(every, own)
        return [int(count) for count in every]

    def sum(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """All-reduce of a copy, on the group's device."""
        total = x.to(self._device, copy=True).contiguous()
        dist.all_reduce(total)
        return total.to(x.device)

    def gather(self, rows: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "m ..."]:
        """All-gather of rows, padded to the longest part."""
        counts = self.counts(len(rows))
        padded = rows.new_zeros((max(counts), *rows.shape[1:]), device=self._device)
        padded[: len(rows)] = rows
        every = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(every, padded)
        parts = [part[:count] for part, count in zip(every, counts, strict=True)]
        return torch.cat(parts).to(rows.device)

    def first(self, action: Callable[[], T]) -> T:
        """Broadcast a result, or the error in its place."""
        box: list[Any] = [None, None]
        met: Exception | None = None
        if self.is_first:
            try:
                box[0] = action()
            except Exception as error:  # whatever it is, the others must not wait for ever
                met, box[1] = error, str(error) or type(error).__name__
        dist.broadcast_object_list(box, src=0, device=self._device)
        if met is not None and not isinstance(met, UserError):
            raise met
        if box[1] is not None:
            raise shared_error(box[1])
        return box[0]

    def each(self, action: Callable[[], T]) -> T:
        """Exchange errors, and raise the first process's that met one."""
        result, met = None, None
        try:
            result = action()
        except UserError as error:
            met = str(error)
        messages: list[str | None] = [None] * self.size
        dist.all_gather_object(messages, met)
        for message in messages:
            if message is not None:
                raise shared_error(message)
        return cast(T, result)


def shared_error(message: str) -> UserError:
    """An error that every process of a run raises."""
    error = UserError(message)
    error.is_shared = True
    return error


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """Around compiled code: numba's OpenMP sets the number of threads of PyTorch too.

    A run that goes on in a new process would compute its first step with other sums.
    """
    n = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != n:
            torch.set_num_threads(n)


def usable_cpus() -> int:
    """CPUs that this process may use, where the system says; else those there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
