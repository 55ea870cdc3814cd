"""What is converted: the ConvNet of a run as a chain, and its images behind the front end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Int64, UInt8
from torch import Tensor

from deepstdp.config import Config
from deepstdp.config.deployment import ConversionConfig
from deepstdp.data import Dataset, ImageSet
from deepstdp.deployment.accuracy import compare
from deepstdp.deployment.conversion import LayerFit, convert
from deepstdp.deployment.folding import Connection, fold
from deepstdp.deployment.inputs import behind_front_end
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.readout import LastLayer, compare_readout, readout, require_neurons
from deepstdp.deployment.relative_error import relative_error
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import Truth
from deepstdp.features import held_rows
from deepstdp.files import Record
from deepstdp.inference import NONE, images_for
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.model import Model, load_model
from deepstdp.pipeline import truth_of
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir

MOST_MEASURED = 5_000
"""Validation images that are measured on; of more, some at random."""

_CHECKED, _TOLERANCE = 16, 0.05
"""Images on which the folded ConvNet is compared with the ConvNet, perhaps of half precision."""


def load_for_spikes(run: RunDir) -> tuple[Model, tuple[int, int, int]]:
    """``load_model`` onto a device that spiking networks run on.

    Apple's GPUs have neither double precision nor the engines of STDP neurons.
    """
    has_mps = torch.backends.mps.is_available()
    return load_model(run, accelerator="cpu" if has_mps else "auto")


@dataclass(frozen=True)
class Source:
    """A finished run, opened.

    Attributes:
        config: of the run.
        model: as it was trained.
        dataset: of the run.
        connections: the folded ConvNet.
        val_rows: the validation images that are measured on.
        readout: what follows the ConvNet, if it does (see ``readout``).
    """

    config: Config
    model: Model
    dataset: Dataset
    connections: list[Connection]
    val_rows: np.ndarray
    readout: list[Connection] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        run: RunDir,
        progress: Progress = SILENT,
        other_data: Mapping[str, Any] = NONE,
        last_layer: LastLayer = "features",
    ) -> "Source":
        """Load a run and its images.

        Args:
            run: a finished run.
            progress: follows the decoding.
            other_data: settings of ``DataConfig`` that differ from the run's.
            last_layer: where the chain that is converted ends.

        Raises:
            UserError: the run is unfinished, its images are not there, its network has layers
                that no spiking neuron stands for, or it has no STDP neurons for a readout.
        """
        model, shape = load_for_spikes(run)
        neurons = require_neurons(model) if last_layer == "clusters" else None
        config = run.config()
        dataset = images_for(config, shape, other_data, progress).to(model.device)
        front_end = model.network.eval().front_end
        with torch.no_grad():
            channels, height, width = front_end(torch.zeros(1, *shape, device=model.device))[
                0
            ].shape
            connections = fold(model.network.backbone, (channels, height, width))
        rows = held_rows(len(dataset.val), MOST_MEASURED, config.seed)
        behind = neurons and readout(model.reducer, neurons, connections[-1].out_shape)
        source = cls(config, model, dataset, connections, rows, behind or [])
        source._check_connections()
        return source

    def _check_connections(self) -> None:
        """A module of the user's own may do other things than its layers say."""
        x = self._shown(self.dataset.val, self.val_rows[:_CHECKED])
        network = self.model.network
        with torch.no_grad():
            features = network.backbone(x.to(network.dtype)).float()
            for connection in self.connections:
                x = connection.activations(x)
        difference = relative_error(x.flatten(1), features)
        if difference > _TOLERANCE:
            raise UserError(
                "the network cannot become spiking: its layers, one after the other, do not "
                f"compute its features (relative difference {difference:.2g})"
            )

    def convert(self, config: ConversionConfig) -> tuple[SpikingNetwork, list[LayerFit]]:
        """The spiking network, fitted to some of the training images."""
        some = self._shown(self.dataset.train, self.fitted_rows(config))
        with torch.no_grad():
            return convert(self.chain, some, config)

    @property
    def chain(self) -> list[Connection]:
        """All that is converted."""
        return [*self.connections, *self.readout]

    def fitted_rows(self, config: ConversionConfig) -> Int64[np.ndarray, "m"]:
        """The training images that a conversion is fitted to."""
        return np.sort(self._order(config, 0)[: config.n_images])

    def shown_train(
        self, config: ConversionConfig, n_pass: int
    ) -> Iterator[Float[Tensor, "b c h w"]]:
        """The training images behind the front end, in the batches from which STDP neurons learn.

        Each pass, from 1 on, has an order of its own.
        """
        size = self.config.clustering.stdp.largest_batch(config.timesteps)
        order = self._order(config, n_pass)
        for first in range(0, len(order), size):
            yield self._shown(self.dataset.train, order[first : first + size])

    def _order(self, config: ConversionConfig, n_pass: int) -> Int64[np.ndarray, "n"]:
        key = (config.seed, Stream.CALIBRATION, n_pass)
        return numpy_generator(*key).permutation(len(self.dataset.train))

    @cached_property
    def train_features(self) -> Float[Tensor, "n d"]:
        """The ConvNet's features of the training images that the probe learns from."""
        return self._features(self.dataset.train, self._train_rows)

    @cached_property
    def val_features(self) -> Float[Tensor, "m d"]:
        """The same of the validation images that are measured on."""
        return self._features(self.dataset.val, self.val_rows)

    def fitted_features(self, config: ConversionConfig) -> Float[Tensor, "m d"]:
        """The same of the training images that a conversion is fitted to."""
        return self._features(self.dataset.train, self.fitted_rows(config))

    @cached_property
    def truth(self) -> Truth | None:
        """Labels of these images, if there are any."""
        truth = truth_of(self.dataset)
        return truth and Truth(truth.train[self._train_rows], truth.val[self.val_rows])

    def compare(self, spiking: dict[int, Float[Tensor, "m d"]]) -> Record:
        """Features by spikes of ``shown_val`` after T steps, by T, against the ConvNet's."""
        train = None if self.truth is None else self.train_features
        truth, config = self.truth, self.config.evaluation
        return compare(self.model, train, self.val_features, spiking, truth, config)

    def kept(self, counts: Int[Tensor, "m o"], scale: float, n_steps: int) -> Record:
        """What spikes of the chain's last layer tell, against the float pipeline.

        Args:
            counts: for ``shown_val``.
            scale: what a spike in every step stands for.
            n_steps: T.
        """
        unit = scale / n_steps
        if not self.readout:
            return self.compare({n_steps: counts * unit})
        return compare_readout(
            self.model, self.readout, self.val_features, counts, unit, n_steps, self.truth
        )

    @cached_property
    def _train_rows(self) -> Int64[np.ndarray, "n"]:
        most = self.config.reduction.max_samples
        return held_rows(len(self.dataset.train), most, self.config.seed)

    def _features(self, images: ImageSet, rows: np.ndarray) -> Float[Tensor, "m d"]:
        return self.model.features(images.images, rows=torch.from_numpy(rows))

    def shown_val(self) -> Float[Tensor, "m c h w"]:
        """The validation images behind the front end."""
        return self._shown(self.dataset.val, self.val_rows)

    def stored_val(self) -> UInt8[np.ndarray, "m c h w"]:
        """The same as they are stored."""
        return self.dataset.val.images.take(torch.from_numpy(self.val_rows)).cpu().numpy()

    def val_names(self) -> list[str]:
        """Their names."""
        return [self.dataset.val.names[row] for row in self.val_rows]

    def _shown(self, images: ImageSet, rows: np.ndarray) -> Float[Tensor, "m c h w"]:
        chosen = torch.from_numpy(rows)
        return torch.cat(list(behind_front_end(self.model.network, images.images, chosen)))
