"""The Deep-STDP loop: cluster the network's own features, learn the clusters, and again.

Lu and Sengupta, "Deep Unsupervised Learning Using Spike-Timing-Dependent Plasticity",
arXiv 2307.04054, after DeepCluster (Caron et al. 2018) with STDP in the place of k-means.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering import Assignment
from deepstdp.config import Config
from deepstdp.data import Dataset, ImageSet, InMemory
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import (
    Metrics,
    Predictions,
    Truth,
    correct_images,
    measure_assignment,
    measure_features,
    predict_classes,
)
from deepstdp.features import held_rows, mapped
from deepstdp.model import Model
from deepstdp.progress import Progress
from deepstdp.training.epoch import FROM_THE_START, AfterStep, Begun, Trainer

Split = Literal["train", "val"]

STAGES = ("features", "reduction", "clustering", "training", "evaluation")


class Stopwatch:
    """Seconds spent in each stage since the last ``lap``."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._open: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count what happens inside for ``stage``."""
        self._open[stage] = self._now()
        try:
            yield
        finally:
            self._seconds[stage] += self._now() - self._open.pop(stage)

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def so_far(self) -> dict[str, float]:
        """Seconds by stage since the last ``lap``, the open ones among them."""
        seconds = dict(self._seconds)
        for stage, start in self._open.items():
            seconds[stage] = seconds.get(stage, 0.0) + self._now() - start
        return seconds

    def resume(self, seconds: dict[str, float]) -> None:
        """Continue from ``so_far()``."""
        self._seconds.update(seconds)

    def lap(self) -> dict[str, float]:
        """Seconds by stage, as ``seconds_<stage>``, and start anew."""
        seconds = {f"seconds_{stage}": round(self._seconds[stage], 4) for stage in STAGES}
        self._seconds.clear()
        return seconds


class Loop:
    """Trains a model on a data set, epoch by epoch. ``learn`` is the method; the rest measures it.

    All processes of a run do the same; features are shared out among them by rows, and what is
    measured, the first process has.

    Args:
        config: the experiment.
        dataset: images of both splits; labels go to the measurements alone.
        model: trained in place.
        progress: follows the work.
        scratch: folder for what is larger than memory.
    """

    def __init__(
        self, config: Config, dataset: Dataset, model: Model, progress: Progress, scratch: Path
    ) -> None:
        self.config, self.model, self._progress = config, model, progress
        self._data = dataset.to(model.device)
        self._group, self._scratch = model.runtime.group, scratch
        most = config.reduction.max_samples
        self._held: dict[Split, np.ndarray] = {
            "train": held_rows(len(dataset.train), most, config.seed),
            "val": held_rows(len(dataset.val), most, config.seed),
        }
        truth = truth_of(dataset)
        self._truth = truth and Truth(truth.train, truth.val[self._held["val"]])
        self.trainer = Trainer(model.network, config, model.runtime, progress)
        self.n_epochs = 0 if model.clusterer is None else config.training.epochs
        self.assignment: Assignment | None = None
        self.clock = Stopwatch(model.device)
        self._features: dict[Split, Tensor] = {}
        self.assignment_metrics: Metrics = {}
        self._predictions: Predictions | None = None

    def learn(
        self, epoch: int, begun: Begun = FROM_THE_START, after_step: AfterStep | None = None
    ) -> Metrics:
        """One epoch: cluster the features, then train the network on the clusters.

        Args:
            epoch: its number, from 1.
            begun: how far it has come already; its clusters are ``assignment`` then.
            after_step: see ``Trainer.epoch``.
        """
        training, is_new = self.config.training, begun.step == 0
        is_due = self.assignment is None or (epoch - 1) % training.reassign_every == 0
        if is_new and is_due:
            until = epoch + training.reassign_every
            measured = any(self._is_due(e) for e in range(epoch, until))
            self.assignment_metrics = self.reassign(measured)
            if self._resets_head() and epoch > 1:
                self.trainer.forget_head(epoch)
        assert self.assignment is not None
        with self.clock("training"):
            targets = self.model.targets if training.targets == "batch" else None
            labels = self.assignment.labels
            images = self._data.train.images
            loss = self.trainer.epoch(images, labels, epoch, targets, begun, after_step)
        self._features.clear()
        return {"epoch": epoch, "loss": loss, **self.assignment_metrics}

    def reassign(self, measured: bool) -> Metrics:
        """Features, reduced and aligned, to pseudo-labels; and what these are worth."""
        model, previous = self.model, self.assignment
        assert model.clusterer is not None
        features = self.features("train")
        with self.clock("reduction"), self._progress.busy("reduction"):
            reduced = model.reducer.fit_transform(features)
        if len(self._held["train"]) < len(self._data.train):
            with self.clock("features"):
                reduced = self._reduce_all()
        with self.clock("clustering"), self._progress.busy("clustering"):
            self.assignment = self._whole(model.clusterer.fit_predict(reduced))
        val_assignment = retest = None
        val_features = self.features("val") if measured else None
        with self.clock("evaluation"):
            if val_features is not None and model.clusterer.can_predict:
                val = model.clusterer.predict(model.reducer.transform(val_features))
                val_assignment = self._whole(val)
                again = model.clusterer.retest(reduced)
                retest = None if again is None else self._whole(again)
            explained: Metrics = {"explained_variance": model.reducer.explained_variance}
            found = self.assignment
            return explained | self._group.first(
                lambda: measure_assignment(found, previous, val_assignment, retest, self._truth)
            )

    def _whole(self, own: Assignment) -> Assignment:
        """The labels of all processes' rows, on every process."""
        return replace(own, labels=self._group.gather(own.labels))

    def _reduce_all(self) -> Float[Tensor, "n p"]:
        """Reduced features of this process's rows, where the full ones are too many to hold."""
        own = self._group.shard(len(self._data.train))
        n_components = self.model.reducer.n_components
        dtype = self.model.network.dtype
        streamed = not isinstance(self._data.train.images, InMemory)
        if streamed and self.model.device.type == "cpu":
            reduced = mapped((len(own), n_components), dtype, self._scratch)
        else:
            reduced = torch.empty(len(own), n_components, dtype=dtype, device=self.model.device)
        rows = torch.arange(own.start, own.stop)
        self.model.write_reduced(reduced, self._data.train.images, rows, self._progress)
        return reduced

    def measure(self, epoch: int) -> Metrics:
        """Linear probe and k-NN of the network as it is; None where they are not due."""
        if not self._is_due(epoch):
            return {"linear_probe_accuracy": None, "knn_accuracy": None}
        own, own_val = self.features("train"), self.features("val")
        with self.clock("evaluation"), self._progress.busy("linear probe and k-NN"):
            train, val = self._group.gather(own), self._group.gather(own_val)
            truth = self._truth
            if truth is not None:
                truth = Truth(truth.train[self._held["train"]], truth.val)
            evaluation = self.config.evaluation
            self._predictions = self._group.first(
                lambda: predict_classes(train, val, truth, evaluation)
            )
            return measure_features(self._predictions, truth)

    def measured_images(self) -> list[str]:
        """Names of the validation images that are measured on."""
        return [self._data.val.names[i] for i in self._held["val"]]

    def correct_images(self) -> dict[str, str]:
        """Which of the validation images the last measurement got right."""
        return correct_images(self._predictions, self._truth)

    def features(self, split: Split) -> Float[Tensor, "n d"]:
        """Own rows of the held images' features, once for each state of the network.

        Raises:
            UserError: they are not finite.
        """
        if split not in self._features:
            part: ImageSet = getattr(self._data, split)
            own, held = self._group.shard(len(part)), self._held[split]
            rows = torch.from_numpy(held[(held >= own.start) & (held < own.stop)])
            with self.clock("features"):
                features = self.model.features(part.images, self._progress, rows)
            self._group.each(lambda: _check_finite(features))
            self._features[split] = features
        return self._features[split]

    @property
    def n_train(self) -> int:
        """How many images are learnt from."""
        return len(self._data.train)

    @property
    def n_held(self) -> int:
        """How many of them have their features held at once."""
        return len(self._held["train"])

    def _is_due(self, epoch: int) -> bool:
        every = self.config.evaluation.every
        return epoch in (0, self.n_epochs) or (every > 0 and epoch % every == 0)

    def _resets_head(self) -> bool:
        assert self.model.clusterer is not None
        head = self.config.training.head
        return head == "reset" or (head == "auto" and not self.model.clusterer.persistent)


def truth_of(dataset: Dataset) -> Truth | None:
    """The labels of both splits, for evaluation."""
    if dataset.train.labels is None or dataset.val.labels is None:
        return None
    return Truth(dataset.train.labels, dataset.val.labels)


def _check_finite(features: Float[Tensor, "n d"]) -> None:
    if not torch.isfinite(features).all():
        raise UserError(
            "training diverged: features are not finite; lower --training.learning_rate"
        )
