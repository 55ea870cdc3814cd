"""Where a run runs: devices, precision and processes, as lightning-fabric launches them."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric

from deepstdp.config import Config
from deepstdp.errors import UserError
from deepstdp.processes import ALONE, DistributedGroup, Group

_RANK_VARIABLES = ("RANK", "SLURM_PROCID", "LOCAL_RANK")


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
    fabric = _fabric(config.accelerator, config.devices, config.num_nodes, config.precision)
    with _quiet():
        fabric.launch()
    alone = fabric.world_size == 1
    return Runtime(fabric, ALONE if alone else DistributedGroup(fabric.device))


def one_process(accelerator: str = "auto") -> Runtime:
    """A process alone, on one device, in single precision."""
    return Runtime(_fabric(accelerator, 1, 1, "32-true"), ALONE)


def is_first_process() -> bool:
    """Whether this process speaks for its run, told before anything is launched."""
    ranks = (os.environ.get(name) for name in _RANK_VARIABLES)
    return int(next((rank for rank in ranks if rank is not None), 0)) == 0


def _fabric(accelerator: str, devices: int | str, num_nodes: int, precision: Any) -> Fabric:
    several = devices not in (1, "1") or num_nodes > 1
    try:
        with _quiet():
            fabric = Fabric(
                accelerator=accelerator,
                devices=devices,
                num_nodes=num_nodes,
                precision=precision,
                strategy="ddp" if several and accelerator != "mps" else "auto",
            )
        if precision == "16-mixed" and fabric.device.type == "cpu":
            raise ValueError("a CPU has no 16-mixed, but bf16-mixed")
        return fabric
    except Exception as error:  # Fabric raises all kinds
        reason = str(error).split("\n")[0]
        raise UserError(
            f"accelerator {accelerator}, devices {devices}, precision {precision} cannot be had "
            f"here ({reason}): try --accelerator auto --devices 1 --precision 32-true"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the banners of Lightning and of torch.distributed."""
    loggers = [logging.getLogger(name) for name in ("lightning_fabric", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
