"""How far a trained network gets with few labels: all of it is trained on, from a new head."""

import copy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray

from deepstdp.backbones import Network
from deepstdp.config import Config
from deepstdp.data import Dataset
from deepstdp.evaluation.measure import Metrics
from deepstdp.features import extract
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.model import FEATURE_BATCH, Model
from deepstdp.progress import SILENT, Progress
from deepstdp.training.epoch import Trainer


def fine_tuned_accuracies(
    model: Model, dataset: Dataset, config: Config, progress: Progress = SILENT
) -> Metrics:
    """``fine_tuned_accuracy_<fraction>`` for each of ``evaluation.label_fractions``.

    The model stays as it is. Nothing without labels.
    """
    labels = dataset.train.labels
    if labels is None or dataset.val.labels is None:
        return {}
    metrics: Metrics = {}
    for fraction in config.evaluation.label_fractions:
        rows = few_of_each(labels, fraction, config.seed)
        network = _fine_tuned(model, dataset, rows, config, progress)
        metrics[f"fine_tuned_accuracy_{fraction:g}"] = _accuracy(model, network, dataset)
    return metrics


def few_of_each(labels: Int64[ndarray, "n"], fraction: float, seed: int) -> Int64[ndarray, "m"]:
    """Indices of a share of each class, at random, one of each at least; in order.

    A larger share of the same seed holds the smaller ones.
    """
    order = numpy_generator(seed, Stream.FEW_LABELS).permutation(len(labels))
    chosen = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        chosen.append(members[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def _fine_tuned(
    model: Model, dataset: Dataset, rows: Int64[ndarray, "m"], config: Config, progress: Progress
) -> Network:
    """A copy of the network that has learnt the labels of some of the training images."""
    assert dataset.train.labels is not None
    some = dataset.train.select(rows)
    n_classes = int(dataset.train.labels.max()) + 1
    old, evaluation = model.network, config.evaluation
    front_end, backbone = copy.deepcopy(old.front_end), copy.deepcopy(old.backbone)
    network = Network(front_end, backbone, old.n_features, n_classes)
    network.reset_head(config.seed, epoch=0)
    network = network.to(model.device, old.dtype)
    training = replace(
        config.training,
        epochs=evaluation.fine_tuning_epochs,
        learning_rate=evaluation.fine_tuning_rate,
        schedule="cosine",
        warmup_epochs=0.0,
        sampler="shuffle",
        targets="epoch",
        views=1,
        small_views=0,
        teacher_momentum=0.0,
    )
    trainer = Trainer(network, replace(config, training=training), model.runtime, SILENT)
    labels = torch.from_numpy(dataset.train.labels[rows]).to(model.device)
    images = some.images.to(model.device)
    epochs = range(1, training.epochs + 1)
    for epoch in progress.track(epochs, f"fine-tuning on {len(rows)} labels", len(epochs)):
        trainer.epoch(images, labels, epoch)
    return network


def _accuracy(model: Model, network: Network, dataset: Dataset) -> float:
    """The share of the validation images that the head classifies right."""
    images, labels = dataset.val.images.to(model.device), dataset.val.labels
    parts = list(torch.arange(len(images)).split(FEATURE_BATCH))
    autocast = model.runtime.fabric.autocast
    logits = torch.cat(list(extract(network, images, parts, SILENT, autocast, network)))
    return float((logits.argmax(dim=1).cpu().numpy() == labels).mean())
