"""The Deep-STDP loop: cluster the network's own features, learn the clusters, and again.

Lu and Sengupta, "Deep Unsupervised Learning Using Spike-Timing-Dependent Plasticity",
arXiv 2307.04054, after DeepCluster (Caron et al. 2018) with STDP in the place of k-means.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering import Assignment
from deepstdp.config import Config
from deepstdp.data import Dataset
from deepstdp.errors import UserError
from deepstdp.evaluation.measure import Metrics, Truth, measure_assignment, measure_features
from deepstdp.model import Model
from deepstdp.progress import Progress
from deepstdp.training.epoch import build_optimizer, forget_head, train_epoch
from deepstdp.training.sampling import epoch_order

STAGES = ("features", "reduction", "clustering", "training", "evaluation")


class Stopwatch:
    """Seconds spent in each stage since the last ``lap``."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count what happens inside for ``stage``."""
        start = self._now()
        yield
        self._seconds[stage] += self._now() - start

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def lap(self) -> dict[str, float]:
        """Seconds by stage, as ``seconds_<stage>``, and start anew."""
        seconds = {f"seconds_{stage}": round(self._seconds[stage], 4) for stage in STAGES}
        self._seconds.clear()
        return seconds


@dataclass
class FeaturePair:
    """Features of both splits by the network as it is."""

    train: Float[Tensor, "n d"]
    val: Float[Tensor, "m d"]


class Loop:
    """Trains a model on a data set, epoch by epoch. ``learn`` is the method; the rest measures it.

    Args:
        config: the experiment.
        dataset: images of both splits; labels go to the measurements alone.
        model: trained in place.
        progress: follows the work.
    """

    def __init__(self, config: Config, dataset: Dataset, model: Model, progress: Progress) -> None:
        self.config, self.model, self._progress = config, model, progress
        self._data = dataset.to(model.device)
        self._truth = truth_of(dataset)
        self.optimizer = build_optimizer(model.network, config.training)
        self.n_epochs = 0 if model.clusterer is None else config.training.epochs
        self.assignment: Assignment | None = None
        self.clock = Stopwatch(model.device)
        self._features: FeaturePair | None = None
        self.assignment_metrics: Metrics = {}

    def learn(self, epoch: int) -> Metrics:
        """One epoch: cluster the features, then train the network on the clusters."""
        training = self.config.training
        if self.assignment is None or (epoch - 1) % training.reassign_every == 0:
            until = epoch + training.reassign_every
            measured = any(self._is_due(e) for e in range(epoch, until))
            self.assignment_metrics = self.reassign(measured)
            if self._resets_head() and epoch > 1:
                forget_head(self.model.network, self.optimizer, self.config.seed, epoch)
        assert self.assignment is not None
        with self.clock("training"):
            labels = self.assignment.labels
            order = epoch_order(labels.cpu().numpy(), training.sampler, self.config.seed, epoch)
            loss = train_epoch(
                self.model.network,
                self.optimizer,
                self._data.train.images,
                labels,
                order,
                self.config.seed,
                epoch,
                training,
                self.config.augmentation,
                self._progress,
            )
        self._features = None
        return {"epoch": epoch, "loss": loss, **self.assignment_metrics}

    def reassign(self, measured: bool) -> Metrics:
        """Features, reduced and aligned, to pseudo-labels; and what these are worth."""
        model, previous = self.model, self.assignment
        assert model.clusterer is not None
        features = self.features()
        with self.clock("reduction"), self._progress.busy("reduction"):
            reduced = model.reducer.fit_transform(features.train)
        with self.clock("clustering"), self._progress.busy("clustering"):
            self.assignment = model.clusterer.fit_predict(reduced)
        with self.clock("evaluation"):
            val_assignment = retest = None
            if measured and model.clusterer.can_predict:
                val_assignment = model.clusterer.predict(model.reducer.transform(features.val))
                retest = model.clusterer.retest(reduced)
            return measure_assignment(
                self.assignment, previous, val_assignment, retest, self._truth
            )

    def measure(self, epoch: int) -> Metrics:
        """Linear probe and k-NN of the network as it is; None where they are not due."""
        if not self._is_due(epoch):
            return {"linear_probe_accuracy": None, "knn_accuracy": None}
        features = self.features()
        with self.clock("evaluation"), self._progress.busy("linear probe and k-NN"):
            return measure_features(
                features.train, features.val, self._truth, self.config.evaluation
            )

    def features(self) -> FeaturePair:
        """Features of both splits, computed once for each state of the network."""
        if self._features is None:
            with self.clock("features"):
                self._features = FeaturePair(
                    self.model.features(self._data.train.images, self._progress),
                    self.model.features(self._data.val.images),
                )
            if not torch.isfinite(self._features.train).all():
                raise UserError(
                    "training diverged: features are not finite; lower --training.learning_rate"
                )
        return self._features

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
