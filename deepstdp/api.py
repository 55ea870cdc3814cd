"""Deep-STDP in a notebook: images in, a trained run out."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor

from deepstdp.config import Config
from deepstdp.config_files import load_config, with_settings
from deepstdp.data import GIVEN, dataset_of
from deepstdp.data.arrays import fit_images
from deepstdp.data.unlabelled import load_unlabelled
from deepstdp.errors import UserError
from deepstdp.files import Record
from deepstdp.interruption import Interrupted
from deepstdp.model import Model, load_model
from deepstdp.progress import SILENT, ConsoleProgress
from deepstdp.run_dir import RunDir
from deepstdp.runner import new_run_dir, run_experiment

Images = Shaped[np.ndarray, "..."] | Shaped[Tensor, "..."]
"""(N, H, W), (N, H, W, C) or (N, C, H, W) with C = 1 or 3, uint8 or float in [0, 1]."""


@contextmanager
def _options_as_arguments() -> Iterator[None]:
    """What is said of options, said of arguments: ``--resume`` is ``resume=True`` here."""
    try:
        yield
    except (UserError, Interrupted) as error:
        said = re.sub(r"(?<![^\s(])--(resume|overwrite)\b", r"\1=True", str(error))
        error.args = (re.sub(r"(?<![^\s(])--(?=[a-z])", "", said),)
        raise


@_options_as_arguments()
def train(
    images: Images | str | Path,
    labels: Shaped[np.ndarray, "..."] | Shaped[Tensor, "..."] | None = None,
    *,
    n_clusters: int | None = None,
    config: Config | str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verbose: bool = True,
) -> "Result":
    """Train a network on the clusters that STDP finds in its features.

    Args:
        images: an array, or the path of anything that ``data.source`` takes. A share of them
            (``data.validation_fraction``) is held out to measure on.
        labels: (N,) whole numbers, with which features and clusters are measured; training never
            sees them. Those of a path are found there.
        n_clusters: in the place of the config's ``clustering.n_clusters``.
        config: a recipe, or its YAML file; by default ``Config()``, that of scikit-learn's digits,
            with the images at their own size.
        settings: values by dotted names, such as ``{"training.epochs": 10}``; they come last.
        run_dir: where the run is kept; by default a new folder in ``runs``.
        resume: go on with the run that is there, from its last checkpoint; give the same images.
        overwrite: replace the run that is there.
        verbose: say how it goes on.

    Raises:
        UserError: something that is given cannot be used.

    Examples:
        >>> result = deepstdp.train(images, n_clusters=100)  # doctest: +SKIP
        >>> result.features(images)  # doctest: +SKIP
    """
    if resume:
        if run_dir is None or overwrite:
            raise UserError("resume goes on with a run that is there: give run_dir, not overwrite")
        RunDir.open(Path(run_dir))  # it may be mistyped
    resolved = _resolve(config)
    chosen: dict[str, Any] = {} if n_clusters is None else {"clustering.n_clusters": n_clusters}
    arrays = {}
    if not isinstance(images, (str, Path)):
        given = {"images": images, "labels": labels}
        arrays = {name: _array(values) for name, values in given.items() if values is not None}
    elif labels is not None:
        raise UserError("labels go with an array of images; those of a path are found there")
    chosen["data.source"] = GIVEN if arrays else str(images)
    resolved = with_settings(resolved, chosen | dict(settings or {}))
    dataset = dataset_of(arrays, resolved.data, resolved.seed) if arrays else None
    path = Path(run_dir) if run_dir is not None else new_run_dir(resolved)
    with ConsoleProgress() if verbose else SILENT as progress:
        run = run_experiment(
            resolved, path, dataset=dataset, resume=resume, overwrite=overwrite, progress=progress
        )
    return Result(run)


def _resolve(config: Config | str | Path | None) -> Config:
    if config is None:
        default = Config()
        return replace(default, data=replace(default.data, image_size=None))
    return config if isinstance(config, Config) else load_config(Path(config))


def _array(values: Any) -> Shaped[np.ndarray, "..."]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


class Result:
    """A finished run, for a notebook.

    Args:
        run: its folder.
        trust_code: whether its config may name code of its own, which is imported.

    Raises:
        UserError: the run is not finished.
    """

    def __init__(self, run: RunDir | str | Path, trust_code: bool = False) -> None:
        self.run = run if isinstance(run, RunDir) else RunDir.open(Path(run), trust_code)
        found = self.run.summary()
        if found is None:
            raise UserError(
                f"{self.run.path} is not finished: its train command, with --resume, goes on "
                "(in Python resume=True)"
            )
        self.summary: Record = found

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self.run.path

    @property
    def metrics(self) -> list[Record]:
        """What was measured, an object an epoch."""
        return self.run.metrics()

    @property
    def model(self) -> Model:
        """Network, reduction and clusterer."""
        return self._loaded[0]

    @cached_property
    def _loaded(self) -> tuple[Model, tuple[int, int, int]]:
        return load_model(self.run)

    def features(self, images: Images | str | Path) -> Float32[np.ndarray, "n d"]:
        """The network's features of images, which are brought to the size it was trained on.

        Args:
            images: an array, or the path of an image, a folder, a zip, shards or a NumPy file.

        Raises:
            UserError: they cannot be read, or do not fit the network.
        """
        return self.model.features(self._fit(images)).float().cpu().numpy()

    def predict(self, images: Images | str | Path) -> Int64[np.ndarray, "n"]:
        """The cluster of each image.

        Args:
            images: as for ``features``; of a path, in the order of ``deepstdp predict``.

        Raises:
            UserError: the run clustered nothing, or as for ``features``.
        """
        return self.model.assign(self._fit(images)).labels.cpu().numpy()

    @_options_as_arguments()
    def _fit(self, images: Images | str | Path) -> Tensor:
        _, (channels, height, width) = self._loaded
        size = height if height == width else None
        if isinstance(images, (str, Path)):
            found, _ = load_unlabelled([Path(images)], channels, size, "stop", SILENT)
            return found.images.take(torch.arange(len(found)))
        return fit_images(_array(images), channels, size, "images")

    def report(self, out: str | Path | None = None) -> Path:
        """Write the page of ``deepstdp report``, and return where."""
        from deepstdp.report.page import PAGE, write_report  # as its imports take seconds

        return write_report([self.run], Path(out) if out is not None else self.path / PAGE)

    def __repr__(self) -> str:
        final = self.summary["final"].get("linear_probe_accuracy")
        measured = "" if final is None else f", linear probe {final:.1%}"
        return f"Result({str(self.path)!r}, {self.summary['epochs']} epochs{measured})"

    def _repr_html_(self) -> str:
        from deepstdp.report.page import run_html

        return run_html(self.run)
