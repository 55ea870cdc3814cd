"""What several tests make their inputs with."""

import io
import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from deepstdp.processes import Group

T = TypeVar("T")


def image_bytes(value: int, size: int = 16, kind: str = "PNG") -> bytes:
    """A random image around a gray value."""
    rng = np.random.default_rng(value)
    pixels = np.clip(rng.normal(value, 30, (size, size, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def correlated(n=300, d=20, seed=0) -> torch.Tensor:
    """Samples of a random covariance."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy((rng.normal(size=(n, d)) @ rng.normal(size=(d, d))).astype(np.float32))


class _Thread(Group):
    """A process of a run, played by a thread."""

    def __init__(self, rank: int, size: int, table: list, barrier: threading.Barrier) -> None:
        self.rank, self.size, self._table, self._barrier = rank, size, table, barrier

    def _exchange(self, kind: str, value: object) -> list:
        self._table[self.rank] = (kind, value)
        self._barrier.wait()
        everyone = list(self._table)
        self._barrier.wait()
        assert {k for k, _ in everyone} == {kind}, "processes meet in different exchanges"
        return [v for _, v in everyone]

    def counts(self, n_own):
        return self._exchange("counts", n_own)

    def sum(self, x):
        return torch.stack(self._exchange("sum", x)).sum(dim=0)

    def gather(self, rows):
        return torch.cat(self._exchange("gather", rows))

    def first(self, action):
        return self._exchange("first", action() if self.is_first else None)[0]


def in_processes(size: int, work: Callable[[Group], T]) -> list[T]:
    """What ``work`` gives in each of ``size`` processes, played by threads."""
    table: list = [None] * size
    barrier, results, errors = threading.Barrier(size, timeout=60), [None] * size, []

    def run(rank: int) -> None:
        try:
            results[rank] = work(_Thread(rank, size, table, barrier))
        except Exception as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return results
