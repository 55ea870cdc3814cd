"""Some images of a run, and what the run made of them: what a person is shown at its end."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch.nn import functional

from deepstdp.clustering import Assignment
from deepstdp.data import ImageSet
from deepstdp.errors import UserError
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.model import Model
from deepstdp.run_dir import RunDir

MOST_IMAGES, MOST_PER_CLUSTER = 1_500, 24
LONGEST_SIDE = 64
"""Pixels of the longer side of an image that is kept; larger ones are scaled down."""

UNKNOWN = -1
"""The class of an image without a label."""


@dataclass(frozen=True)
class Examples:
    """Images cluster by cluster, the largest first.

    Attributes:
        images: (N, C, H, W) of training images, scaled down to ``LONGEST_SIDE``.
        rows: (N,) which of the training images, as in ``labels.csv``.
        clusters: (N,) the cluster of each.
        classes: (N,) the class of each, or -1.
        reduced: (N, P) reduced features, as they were clustered; of the final network.
        contingency: (K, M) all training images of each cluster and class; one column if there
            are no labels.
    """

    images: UInt8[np.ndarray, "n c h w"]
    rows: Int64[np.ndarray, "n"]
    clusters: Int64[np.ndarray, "n"]
    classes: Int64[np.ndarray, "n"]
    reduced: Float32[np.ndarray, "n p"]
    contingency: Int64[np.ndarray, "k m"]

    @property
    def sizes(self) -> Int64[np.ndarray, "k"]:
        """Training images of each cluster."""
        return self.contingency.sum(axis=1)

    @property
    def largest_first(self) -> list[int]:
        """The clusters that there are images of."""
        return list(dict.fromkeys(self.clusters.tolist()))


def gather_examples(model: Model, images: ImageSet, found: Assignment, seed: int) -> Examples:
    """Choose images, and take their features once more.

    Args:
        model: trained.
        images: the training images.
        found: their clusters.
        seed: of the choice.
    """
    clusters = found.labels.cpu().numpy()
    rows = choose_rows(clusters, seed)
    at = torch.from_numpy(rows)
    reduced = model.reducer.transform(model.features(images.images, rows=at))
    known = images.labels is not None
    classes = images.labels if images.labels is not None else np.zeros_like(clusters)
    return Examples(
        images=_small(images.images.take(at).cpu()).numpy(),
        rows=rows,
        clusters=clusters[rows],
        classes=classes[rows] if known else np.full(len(rows), UNKNOWN),
        reduced=reduced.float().cpu().numpy(),
        contingency=contingency(clusters, classes, found.n_clusters),
    )


def choose_rows(clusters: Int64[np.ndarray, "n"], seed: int) -> Int64[np.ndarray, "m"]:
    """Random images of each cluster, the largest cluster first; as many of each as there is room.

    At most ``MOST_IMAGES`` in all and ``MOST_PER_CLUSTER`` of one; where clusters are more than
    that, one of each of the largest.
    """
    sizes = np.bincount(clusters)
    order = [c for c in np.argsort(-sizes, kind="stable") if sizes[c] > 0]
    each = min(MOST_PER_CLUSTER, max(1, MOST_IMAGES // len(order)))
    generator = numpy_generator(seed, Stream.EXAMPLES)
    chosen = []
    for cluster in order[:MOST_IMAGES]:
        members = generator.permutation(np.flatnonzero(clusters == cluster))
        chosen.append(np.sort(members[:each]))
    return np.concatenate(chosen)


def contingency(
    clusters: Int64[np.ndarray, "n"], classes: Int64[np.ndarray, "n"], n_clusters: int
) -> Int64[np.ndarray, "k c"]:
    """How many samples of each cluster are of each class."""
    table = np.zeros((n_clusters, int(classes.max()) + 1), dtype=np.int64)
    np.add.at(table, (clusters, classes), 1)
    return table


def _small(images: UInt8[torch.Tensor, "n c h w"]) -> UInt8[torch.Tensor, "n c h2 w2"]:
    """Scaled down, if need be, by an average of pixels."""
    height, width = images.shape[-2:]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return images
    size = (max(1, round(scale * height)), max(1, round(scale * width)))
    scaled = functional.interpolate(images.float(), size=size, mode="bilinear", antialias=True)
    return scaled.round_().clamp_(0, 255).to(torch.uint8)


def save_examples(run: RunDir, examples: Examples) -> None:
    """Write ``examples.npz``."""
    run.write_arrays("examples", vars(examples))


def load_examples(run: RunDir) -> Examples | None:
    """What ``save_examples`` wrote; None if there is nothing.

    Raises:
        UserError: the file is damaged, or of an older version.
    """
    arrays = run.arrays("examples")
    if arrays is None:
        return None
    try:
        examples = Examples(**arrays)
        lengths = {len(x) for x in (examples.images, examples.rows, examples.clusters)}
        lengths |= {len(examples.classes), len(examples.reduced)}
        whole = examples.rows.dtype == examples.clusters.dtype == examples.classes.dtype
        fits = len(lengths) == 1 and whole and examples.clusters.min() >= 0
        fits &= examples.clusters.max() < len(examples.contingency)
        fits &= examples.classes.max() < examples.contingency.shape[1]
        fits &= examples.images.ndim == 4 and examples.images.dtype == np.uint8
    except (TypeError, ValueError, IndexError, AttributeError):
        fits = False
    if not fits:
        raise UserError(f"{run.path / 'examples.npz'} is damaged, or was written by an old version")
    return examples
