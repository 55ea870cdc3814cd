"""Where a run runs: devices, precision and processes, as lightning-fabric launches them."""

import atexit
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric

from deepstdp.config import Config
from deepstdp.errors import first_line
from deepstdp.launched import is_first_process
from deepstdp.processes import ALONE, DistributedGroup, Group, shared_error
from deepstdp.progress import quiet

_BANNERS = ("lightning_fabric", "lightning.fabric")
"""Loggers that greet."""

_LOOK_SECONDS = 1.0

_PARENT = "DEEPSTDP_FIRST_PROCESS"
"""Tells the processes that a run starts which one started them."""


@dataclass(frozen=True)
class Runtime:
    """One process of a run.

    Attributes:
        fabric: places modules, averages gradients, casts.
        group: the processes of the run.
    """

    fabric: Fabric
    group: Group

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self.fabric.device


def launch(config: Config) -> Runtime:
    """Start the other processes of a run, or join those that ``torchrun`` or SLURM started.

    Fabric starts this very command once more for each further device.

    Raises:
        UserError: this machine does not have what the config asks for.
    """
    if not is_first_process():  # before it waits for the others
        # Not the parent that it has by now: the first process may be gone already.
        parent = int(os.environ.get(_PARENT, os.getppid()))
        Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    fabric = _fabric(config.accelerator, config.devices, config.num_nodes, config.precision)
    with quiet(*_BANNERS), _known_as_parent():
        fabric.launch()
    started = int(os.environ.get("WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if started > 1 and fabric.world_size == 1:
        raise shared_error(
            f"torchrun started {started} processes for a run on one device: say --devices too "
            "(processes on each machine), and --num_nodes"
        )
    alone = fabric.world_size == 1
    if not alone:
        atexit.register(_leave)
    return Runtime(fabric, ALONE if alone else DistributedGroup(fabric.device))


@contextmanager
def _known_as_parent() -> Iterator[None]:
    """Processes that are started meanwhile know whose end is theirs."""
    if not is_first_process():
        yield
        return
    os.environ[_PARENT] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[_PARENT]


def _end_with_parent(parent: int) -> None:
    """Without the process that started this one nobody would end it: it would wait for ever."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def _leave() -> None:
    """Close the connections in order: a process that just ends can break those still at work."""
    if not dist.is_initialized():
        return
    if dist.get_backend() == "gloo":
        with suppress(RuntimeError):  # one that has failed does not come
            dist.monitored_barrier(timeout=timedelta(seconds=5))
    dist.destroy_process_group()


def one_process(accelerator: str = "auto") -> Runtime:
    """A process alone, on one device, in single precision."""
    return Runtime(_fabric(accelerator, 1, 1, "32-true"), ALONE)


def _fabric(accelerator: str, devices: int | str, num_nodes: int, precision: Any) -> Fabric:
    several = devices not in (1, "1") or num_nodes > 1
    try:
        with quiet(*_BANNERS):
            fabric = Fabric(
                accelerator=accelerator,
                devices=devices,
                num_nodes=num_nodes,
                precision=precision,
                strategy="ddp" if several and accelerator != "mps" else "auto",
            )
        if precision == "16-mixed" and fabric.device.type == "cpu":
            raise ValueError("a CPU has no 16-mixed, but bf16-mixed")
        if precision == "64-true" and fabric.device.type == "mps":
            raise ValueError("MPS has no double precision")
        return fabric
    except Exception as error:  # Fabric raises all kinds
        reason = first_line(error)
        raise shared_error(
            f"accelerator {accelerator}, devices {devices}, precision {precision} cannot be had "
            f"here ({reason}): try --accelerator auto --devices 1 --precision 32-true"
        ) from None
