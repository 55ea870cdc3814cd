"""Curves elsewhere than in the run's folder, through the loggers of Lightning."""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from lightning_fabric.loggers import Logger, TensorBoardLogger

from deepstdp.files import Record
from deepstdp.imports import require_extra

LoggerName = Literal["tensorboard", "mlflow", "wandb"]

PROJECT = "deepstdp"
"""Experiment of MLflow, project of Weights & Biases."""


def make_logger(name: LoggerName, run: Path) -> Logger:
    """A logger for the run at a path.

    TensorBoard's files go to ``tensorboard`` in the run's folder; MLflow and Weights & Biases are
    reached as their own variables say (``MLFLOW_TRACKING_URI``, ``WANDB_MODE``, ...).

    Raises:
        UserError: what it needs is not installed.
    """
    if name == "tensorboard":
        require_extra("tensorboard", "--logger tensorboard", "tensorboard")
        return TensorBoardLogger(root_dir=run, name="tensorboard", version="")
    require_extra(name, f"--logger {name}", name)
    loggers: Any = require_extra("pytorch_lightning.loggers", f"--logger {name}", name)
    if name == "mlflow":
        return loggers.MLFlowLogger(experiment_name=PROJECT, run_name=run.name)
    return loggers.WandbLogger(project=PROJECT, name=run.name, save_dir=run)


@contextmanager
def finalised(logger: Logger | None) -> Iterator[Logger | None]:
    """Tell a logger how the run ended, whatever ended it."""
    try:
        yield logger
    except BaseException:
        if logger is not None:
            logger.finalize("failed")
        raise
    if logger is not None:
        logger.finalize("success")


def log_epoch(logger: Logger | None, metrics: Record, epoch: int) -> None:
    """Hand on what was measured, numbers only."""
    if logger is None:
        return
    numbers = {k: float(v) for k, v in metrics.items() if isinstance(v, Real) and k != "epoch"}
    logger.log_metrics(numbers, step=epoch)
