"""The folder a run leaves behind: config, metrics, checkpoint, weights, labels, summary.

Each file is written whole or not at all; only ``metrics.jsonl`` grows by a line an epoch.
"""

import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from deepstdp.config import Config
from deepstdp.config_files import dump_config, load_config
from deepstdp.config_files.trust import check_trusted, code_named
from deepstdp.data.numpy_file import read_arrays
from deepstdp.errors import UserError
from deepstdp.files import (
    Record,
    Tensors,
    checksum_of_files,
    labels_csv,
    load_tensors,
    make_folder,
    parse_json,
    read_json,
    read_record,
    save_tensors,
    write_atomically,
    write_json,
)
from deepstdp.run_lock import LOCK

CONFIG, METRICS = "config.yaml", "metrics.jsonl"
"""By which a run's folder is known, and what grows as it goes on."""

_OWN_FILES = {
    CONFIG,
    METRICS,
    "summary.json",
    "labels.csv",
    "examples.npz",
    "figures",
    "report.html",
    "spiking",
    "tensorboard",
    "wandb",
    "weights.safetensors",
    "clustering.safetensors",
    "checkpoints",
    LOCK,
}
"""What a run leaves behind; a folder that holds anything else is never overwritten."""


def on_any_machine(config: Config) -> Config:
    """The config with what concerns the machine alone left at its defaults."""
    same = Config()
    data = replace(
        config.data,
        loading=same.data.loading,
        memory_gb=same.data.memory_gb,
        workers=same.data.workers,
    )
    training = replace(
        config.training,
        checkpoint_minutes=same.training.checkpoint_minutes,
        checkpoints_kept=same.training.checkpoints_kept,
    )
    return replace(
        config,
        data=data,
        accelerator=same.accelerator,
        devices=same.devices,
        num_nodes=same.num_nodes,
        compile=same.compile,
        training=training,
    )


class RunDir:
    """One run's folder.

    Args:
        path: the folder.
        trust_code: whether its config may name code of its own (``class_path``).
    """

    def __init__(self, path: Path, trust_code: bool = True) -> None:
        self.path, self._trust_code = path, trust_code

    @classmethod
    def check_new(cls, path: Path, overwrite: bool) -> None:
        """Check that a new run may be written to ``path``, without touching it.

        Raises:
            UserError: there is something already that must not be overwritten.
        """
        # A process that was killed as it made the folder left the beginning of a config at most.
        begun = {"config.yaml.tmp", LOCK}
        if not path.exists() or (path.is_dir() and {p.name for p in path.iterdir()} <= begun):
            return
        strange = [] if path.is_dir() else [path.name]
        if path.is_dir():
            found = {entry.name.removesuffix(".tmp") for entry in path.iterdir()}
            strange = sorted(found - _OWN_FILES)
        if strange or not (path / CONFIG).is_file():
            what = f" (it holds {strange[0]})" if strange else ""
            raise UserError(
                f"{path} exists and is not a run directory{what}: choose another --run_dir"
            )
        if not overwrite:
            raise UserError(f"{path} already holds a run: give --resume or --overwrite")

    @classmethod
    def prepare(cls, path: Path, overwrite: bool) -> None:
        """Make the folder of a new run, if there is none.

        Raises:
            UserError: see ``check_new``; or it cannot be made.
        """
        cls.check_new(path, overwrite)
        try:
            make_folder(path)
        except OSError as error:
            raise UserError(f"cannot make the run directory {path} ({error.strerror})") from None

    @classmethod
    def create(cls, path: Path, config: Config, overwrite: bool = False) -> "RunDir":
        """Make the folder, or empty that of an old run with ``overwrite``.

        Raises:
            UserError: see ``prepare``; or what is there cannot be deleted.
        """
        content = dump_config(config).encode()
        cls.prepare(path, overwrite)
        try:
            for entry in path.iterdir():
                # The old config stays until the new one takes its place: by it, this is a run's.
                if entry.name not in (LOCK, CONFIG):
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        except OSError as error:
            raise UserError(f"cannot empty the run directory {path} ({error.strerror})") from None
        write_atomically(path / CONFIG, content)
        return cls(path)

    @classmethod
    def open(cls, path: Path, trust_code: bool = False) -> "RunDir":
        """An existing run, of whomever.

        Args:
            path: the folder.
            trust_code: whether a model may be loaded from it that has code of its own.

        Raises:
            UserError: this is no run directory.
        """
        if not (path / CONFIG).is_file():
            raise UserError(f"{path} is not a run directory: it has no config.yaml")
        return cls(path, trust_code)

    def config(self) -> Config:
        """The run's resolved config."""
        return load_config(self.path / CONFIG, trust_code=True)  # nothing is imported yet

    def check_code(self, config: Config, given: Mapping[str, Any]) -> None:
        """Check that a model of this run may be built.

        Args:
            config: of the run.
            given: objects in the place of what settings would import; None, if there are none.

        Raises:
            UserError: its config names code, and the run is not trusted.
        """
        if not self._trust_code:
            named = code_named(config)
            check_trusted(self.path, {k: v for k, v in named.items() if given[k] is None})

    def check_config(self, config: Config) -> None:
        """Check that this run was made with ``config``, on whatever machine.

        Raises:
            UserError: with another one.
        """
        if on_any_machine(self.config()) != on_any_machine(config):
            raise UserError(
                f"{self.path} was made with another config: give the settings in its config.yaml, "
                "or choose another folder"
            )

    def discard(self) -> None:
        """Delete the folder of a run that failed at its start."""
        shutil.rmtree(self.path)

    # Metrics: one line an epoch.

    def append_metrics(self, record: Record) -> None:
        """Add one epoch."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a checkpoint of this epoch may follow

    def metrics(self) -> list[Record]:
        """All epochs so far; a line cut short by a crash is left out."""
        path = self.path / METRICS
        if not path.exists():
            return []
        lines = read_record(path).splitlines(keepends=True)
        return [parse_json(line, path) for line in lines if line.endswith(b"\n")]

    def keep_metrics_until(self, epoch: int) -> None:
        """Forget the epochs after ``epoch``: a resumed run does them again."""
        kept = [
            r for r in self.metrics() if isinstance(r.get("epoch"), int) and r["epoch"] <= epoch
        ]
        lines = [json.dumps(record) + "\n" for record in kept]
        write_atomically(self.path / METRICS, "".join(lines).encode())

    # Tensors: safetensors, never pickle.

    def save_tensors(self, name: str, tensors: Tensors, info: Record) -> None:
        """Write named tensors, with a JSON record in the header."""
        save_tensors(self.path / f"{name}.safetensors", tensors, info)

    def load_tensors(self, name: str) -> tuple[Tensors, Record]:
        """Read what ``save_tensors`` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """
        try:
            return load_tensors(self.path / f"{name}.safetensors")
        except FileNotFoundError:
            raise UserError(
                f"{self.path} has no {name}.safetensors: is the run finished?"
            ) from None

    def fingerprint(self) -> str:
        """SHA-256 of network and clusterer, by which what was made from a run knows it again."""
        return checksum_of_files(self.path / f"{n}.safetensors" for n in ("weights", "clustering"))

    # Checkpoints: named by epochs done and steps of the next one, so that names sort.

    def save_checkpoint(
        self, number: tuple[int, int], tensors: Tensors, info: Record, n_kept: int
    ) -> None:
        """Write a checkpoint, then delete all but the last ``n_kept``."""
        folder = self.path / "checkpoints"
        make_folder(folder)
        epoch, step = number
        save_tensors(folder / f"epoch-{epoch:06d}-step-{step:08d}.safetensors", tensors, info)
        for old in (*self.checkpoints()[n_kept:], *folder.glob("*.tmp")):  # of killed writes
            old.unlink()

    def checkpoints(self) -> list[Path]:
        """What there is to resume from, the latest first."""
        return sorted((self.path / "checkpoints").glob("epoch-*.safetensors"), reverse=True)

    def drop_checkpoints(self) -> None:
        """Delete the checkpoints of a run that is finished."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)

    # Results.

    def write_labels(self, names: Iterable[str], labels: Int64[np.ndarray, "n"]) -> None:
        """Write ``labels.csv``: image, pseudo_label."""
        write_atomically(self.path / "labels.csv", labels_csv("pseudo_label", names, labels))

    def write_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write ``NAME.npz``."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_atomically(self.path / f"{name}.npz", buffer.getvalue())

    def arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """What ``write_arrays`` wrote; None if there is nothing.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path / f"{name}.npz"
        return read_arrays(path, name) if path.exists() else None

    def write_summary(self, summary: Record) -> None:
        """Write ``summary.json``, which marks the run as finished."""
        write_json(self.path / "summary.json", summary)

    def summary(self) -> Record | None:
        """The summary of a finished run, else None."""
        path = self.path / "summary.json"
        return read_json(path) if path.exists() else None
