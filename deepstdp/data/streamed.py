"""Images that are decoded when they are needed, by processes of their own."""

import multiprocessing
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deepstdp.data.decode import Decoder, ImageFiles, Pixels, Undecodable
from deepstdp.data.images import Images, Part, Shape
from deepstdp.errors import UserError, first_line
from deepstdp.progress import Progress

Positions = Int64[np.ndarray, "_"]
T = TypeVar("T")

# What a worker decodes at once. Small, so that one large batch keeps all workers busy.
_CHUNK_IMAGES = 64
_CHUNK_BYTES = 2**21
# Chunks that wait for the parent, for each worker.
_PREFETCH = 2


@dataclass(frozen=True)
class Chunk:
    """What became of some files.

    Attributes:
        pixels: (N, C, H, W), of those that are as they should be; a tensor, which goes through
            shared memory: of a worker that dies no half of it can keep its reader waiting.
        bad: positions of the others, with what is wrong or the shape they have.
    """

    pixels: UInt8[Tensor, "n c h w"]
    bad: list[tuple[int, Undecodable | Shape]]


class _Chunks(Dataset[Chunk]):
    """Chunks by the positions of their files: what a worker process holds."""

    def __init__(self, decoder: Decoder, shape: Shape) -> None:
        self._decoder, self._shape = decoder, shape

    def __getitem__(self, positions: Positions) -> Chunk:
        good: list[Pixels] = []
        bad: list[tuple[int, Undecodable | Shape]] = []
        for position in positions.tolist():
            found = self._decoder(position)
            if isinstance(found, Undecodable):
                bad.append((position, found))
            elif found.shape != self._shape:
                bad.append((position, found.shape))
            else:
                good.append(found)
        pixels = np.stack(good) if good else np.empty((0, *self._shape), np.uint8)
        return Chunk(torch.from_numpy(pixels), bad)


class _Requests:
    """The chunks that are wanted next, in order: the one thing that changes about a loader."""

    def __init__(self) -> None:
        self.chunks: Sequence[Positions] = []

    def __iter__(self) -> Iterator[Positions]:
        return iter(self.chunks)

    def __len__(self) -> int:
        return len(self.chunks)


class DecodingPool:
    """Decodes files in worker processes, which start at the first use and stay.

    Args:
        files: what is decoded.
        workers: how many processes; 0 decodes in this one.

    Attributes:
        shape: (C, H, W) of all images.

    Raises:
        UserError: the first image, which sets the shape, cannot be decoded.
    """

    def __init__(self, files: ImageFiles, workers: int) -> None:
        self.shape = files.shape()
        self._files = files
        self._chunks = _Chunks(files.decoder, self.shape)
        self._requests = _Requests()
        self._workers = workers
        self._loader = self._new_loader() if workers > 0 else None
        self._user: object = None

    def decode(self, wanted: Sequence[Positions], pinned: bool) -> Iterator[UInt8[Tensor, "..."]]:
        """The images at each list of positions, list after list; pinned for a GPU's sake.

        Raises:
            UserError: a file cannot be decoded, or has another shape than the first.
        """
        answers = self._answers([chunk for part in wanted for chunk in self._split(part)])
        for part in wanted:
            pixels = torch.empty(len(part), *self.shape, dtype=torch.uint8, pin_memory=pinned)
            filled = 0
            while filled < len(part):
                chunk = next(answers)
                for position, found in chunk.bad:
                    raise self._error(position, found)
                pixels[filled : filled + len(chunk.pixels)] = chunk.pixels
                filled += len(chunk.pixels)
            yield pixels

    def check(self, part: range, progress: Progress) -> Positions:
        """Positions of the files that can be decoded: each is tried.

        Raises:
            UserError: there is none, or one has another shape than the first.
        """
        bad = set()
        chunks = self._split(np.arange(part.start, part.stop))
        for chunk in progress.track(self._answers(chunks), "checking images", len(chunks)):
            for position, found in chunk.bad:
                if not isinstance(found, Undecodable):
                    raise self._error(position, found)
                bad.add(position)
        if len(bad) == len(part):
            raise self._files.none_decodable(len(part))
        return np.array([position for position in part if position not in bad])

    def _split(self, part: Positions) -> list[Positions]:
        size = max(1, min(_CHUNK_IMAGES, _CHUNK_BYTES // int(np.prod(self.shape))))
        return [part[start : start + size] for start in range(0, len(part), size)]

    def _answers(self, chunks: Sequence[Positions]) -> Iterator[Chunk]:
        """The chunks in order. Several iterators may be in use, by turns or abandoned."""
        if self._loader is None:
            yield from map(self._chunks.__getitem__, chunks)
            return
        me, done, have_died = object(), 0, False
        none: Iterator[Chunk] = iter(())  # lets go of workers before others start
        answers = none
        while done < len(chunks):
            try:
                if self._user is not me:
                    # The workers have served another since: ask again for what is left.
                    self._user, self._requests.chunks, answers = me, chunks[done:], none
                    with _starting_workers():
                        answers = iter(self._loader)
                chunk = next(answers)
            except (RuntimeError, EOFError, OSError) as error:
                self._loader, self._user, answers = self._new_loader(), None, none
                if have_died:
                    reason = first_line(error)
                    raise UserError(
                        f"a process that decodes images died twice ({reason}): if memory is "
                        "short, give fewer --data.workers"
                    ) from None
                # A scheduler tells all processes of a job to stop; this one has a step to finish.
                have_died = True
                warnings.warn("a process that decodes images died: starting others", stacklevel=2)
                continue
            done += 1
            yield chunk

    def _new_loader(self) -> DataLoader[Chunk]:
        return _loader(self._chunks, self._requests, self._workers)

    def _error(self, position: int, found: Undecodable | Shape) -> UserError:
        if isinstance(found, Undecodable):
            return self._files.undecodable(position, found)
        return self._files.misshapen(position, found, self.shape)


class Streamed(Images):
    """Images in files, decoded again each time they are asked for.

    Args:
        pool: decodes them.
        positions: of the files in the pool.
        device: where batches are handed out.
    """

    def __init__(
        self, pool: DecodingPool, positions: Positions, device: torch.device | None = None
    ) -> None:
        self._pool, self._positions = pool, positions
        self._device = device or torch.device("cpu")
        self.shape = pool.shape

    def __len__(self) -> int:
        return len(self._positions)

    def batches(self, parts: Sequence[Part]) -> Iterator[UInt8[Tensor, "b c h w"]]:
        """Decoded ahead by the workers, a few batches at most.

        Raises:
            UserError: a file cannot be decoded, or has another shape than the first.
        """
        pinned = self._device.type == "cuda"
        wanted = [self._positions[part.cpu().numpy()] for part in parts]
        for pixels in self._pool.decode(wanted, pinned):
            yield pixels.to(self._device, non_blocking=pinned)

    def select(self, indices: Part) -> "Streamed":
        """Some of the files, with the same workers."""
        return Streamed(self._pool, self._positions[indices.cpu().numpy()], self._device)

    def to(self, device: torch.device) -> "Streamed":
        """The same files, with the same workers."""
        return Streamed(self._pool, self._positions, device)


def _loader(chunks: _Chunks, requests: _Requests, workers: int) -> DataLoader[Chunk]:
    # Not "fork": this process may run the threads of numba and CUDA, which a fork would break.
    prepared = "forkserver" in multiprocessing.get_all_start_methods()  # not on Windows
    context = multiprocessing.get_context("forkserver" if prepared else "spawn")
    if prepared:
        context.set_forkserver_preload([__name__])
    with _starting_workers():
        return DataLoader(
            chunks,
            batch_size=None,
            sampler=requests,
            num_workers=workers,
            collate_fn=_unchanged,
            worker_init_fn=_ignore_interrupts,
            multiprocessing_context=context,
            prefetch_factor=_PREFETCH,
            persistent_workers=True,
            generator=torch.Generator(),  # else it would draw from the user's
        )


def _unchanged(value: T) -> T:
    return value


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C is the parent's: it ends the workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Start processes that do not import the user's script, which would start them all over."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        with warnings.catch_warnings():
            # More workers than CPUs are the user's choice.
            warnings.filterwarnings("ignore", "This DataLoader will create")
            yield
    finally:
        sys.modules["__main__"] = main
