"""STDP clustering as a scikit-learn estimator: spiking neurons in the place of k-means."""

import warnings
from dataclasses import fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from deepstdp.clustering.stdp.layer import SpikingLayer
from deepstdp.clustering.stdp.samples import Samples
from deepstdp.config import STDPConfig
from deepstdp.errors import UserError, first_line
from deepstdp.files import MISFITS, Tensors, load_tensors, save_tensors
from deepstdp.processes import ALONE, Group
from deepstdp.progress import SILENT, Progress
from deepstdp.spiking.health import complaints, examine
from deepstdp.spiking.layer import label

Array = np.ndarray | Tensor

_FOR_EPOCHS = ("persistent", "n_passes")
"""Settings that only the epochs of Deep-STDP need."""

SETTINGS = {f.name: f.default for f in fields(STDPConfig) if f.name not in _FOR_EPOCHS}

OTHER_SEED = 0x5EED
"""What makes the seed of a retest of a seed."""

_HEALTH_SAMPLES = 1000


class STDPClustering(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """Clusters samples by spike-timing-dependent plasticity (Lu and Sengupta 2024).

    Features drive on and off channels that spike at their rates for T steps; K leaky
    integrate-and-fire neurons compete; the winner's synapses move towards the input's trace; an
    adaptive threshold helps neurons that win too little. A neuron's synapses are its cluster's
    centroid. Samples are (N, P) features, or (N, T, D) spikes that are taken as they are, events
    among them as a sparse tensor. NumPy arrays, memory maps too, give NumPy arrays; torch tensors
    stay on their device.

    Args:
        n_clusters: number of neurons (K).
        max_iter: passes over the samples in ``fit``.
        random_state: seed of all random numbers. Equal seeds and data give equal results on any
            number of threads and, in fixed-point arithmetic, by any engine.
        **settings: the fields of ``deepstdp.config.STDPConfig``, which explains them, such as
            ``n_timesteps``, ``eta``, ``homeostasis`` or ``engine``.

    Attributes:
        labels_: (N,) clusters of the samples of ``fit``, as ``predict`` gives them.
        cluster_centers_: (K, P) synapses as points among the features: their direction, on minus
            off, at the samples' root mean square distance from their mean. Of a population code
            and of spikes, the (K, I) synapses themselves.
        thresholds_: (K,) firing thresholds, homeostasis included.
        n_iter_: passes so far.
        layer_: the spiking layer itself.
        health_: what may be wrong, measured by ``fit`` (``deepstdp.spiking.health.Health``).
        n_features_in_: P, or D.

    >>> from sklearn.datasets import load_digits
    >>> labels = STDPClustering(n_clusters=10).fit_predict(load_digits().data)
    >>> labels.shape
    (1797,)
    """

    # scikit-learn wants parameters unchecked until ``fit``: hence Any.
    def __init__(
        self, n_clusters: Any = 8, *, max_iter: Any = 10, random_state: Any = 0, **settings: Any
    ) -> None:
        self.n_clusters, self.max_iter, self.random_state = n_clusters, max_iter, random_state
        for name, default in SETTINGS.items():
            setattr(self, name, settings.pop(name, default))
        if settings:
            raise TypeError(f"STDPClustering has no parameter {next(iter(settings))!r}")

    # scikit-learn, and help(), read the parameters off the signature.
    __init__.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            *list(signature(__init__).parameters.values())[:-1],
            *(Parameter(n, Parameter.KEYWORD_ONLY, default=d) for n, d in SETTINGS.items()),
        ]
    )

    def fit(self, X: Any, y: Any = None) -> "STDPClustering":
        """Forget everything, learn for ``max_iter`` passes, and label the samples.

        Warns, a line each, of what is not healthy and which parameter to turn.

        Raises:
            ValueError: data or parameters that cannot be used; the message says why.
        """
        samples = self._samples(X, reset=True)
        layer = self._new_layer()
        for _ in range(self._max_iter()):
            layer.learn(samples)
        self.layer_, self.n_iter_ = layer, layer.n_passes
        labels = label(layer.respond(samples))
        self.labels_ = samples.like_data(labels.labels)
        some = samples.rows(torch.arange(min(len(samples), _HEALTH_SAMPLES), device=samples.device))
        rates = None if layer.receptors is None else layer.receptors.rates(some)
        self.health_ = examine(layer.learnt, labels, rates)
        for complaint in complaints(self.health_, layer.config):
            warnings.warn(f"STDPClustering: {complaint}", UserWarning, stacklevel=2)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "STDPClustering":
        """One more pass, over these samples; the first call takes the scales from them."""
        is_first = not hasattr(self, "layer_")
        samples = self._samples(X, reset=is_first)
        layer = self._new_layer() if is_first else self._with_settings()
        layer.learn(samples)
        self.layer_, self.n_iter_ = layer, layer.n_passes
        return self

    def predict(self, X: Any) -> Array:
        """(N,) clusters; a sample's depends on the sample alone."""
        check_is_fitted(self, "n_iter_")
        samples = self._samples(X)
        return samples.like_data(label(self._with_settings().respond(samples)).labels)

    def transform(self, X: Any) -> Array:
        """(N, K) spikes of each neuron in T steps."""
        check_is_fitted(self, "n_iter_")
        samples = self._samples(X)
        shape = (len(samples), self.layer_.n_clusters)
        counts = torch.empty(shape, dtype=samples.float_dtype, device=samples.device)
        start = 0
        for response in self._with_settings().respond(samples):
            counts[start : start + len(response.counts)] = response.counts
            start += len(response.counts)
        return samples.like_data(counts)

    def retest(self, X: Any) -> Array:
        """(N,) clusters under another spike seed: how often they agree bounds every agreement."""
        check_is_fitted(self, "n_iter_")
        samples = self._samples(X)
        responses = self._with_settings().respond(samples, self.layer_.seed ^ OTHER_SEED)
        return samples.like_data(label(responses).labels)

    @property
    def cluster_centers_(self) -> Array:
        """See the class."""
        check_is_fitted(self, "n_iter_")
        w, receptors = self.layer_.learnt.synapses, self.layer_.receptors
        if receptors is None or receptors.kind == "population":
            return self._like_fit(w)
        p = receptors.n_channels
        direction = torch.nn.functional.normalize(w[:, :p] - w[:, p:], dim=1)
        return self._like_fit(receptors.mean + direction * receptors.scale)

    @property
    def thresholds_(self) -> Array:
        """See the class."""
        check_is_fitted(self, "n_iter_")
        return self._like_fit(self.layer_.learnt.thresholds())

    def follow(self, progress: Progress) -> "STDPClustering":
        """Show the passes in ``progress``."""
        self._progress = progress
        return self

    def share(self, group: Group) -> "STDPClustering":
        """Learn with other processes, each from samples of its own; see ``processes``."""
        self._group = group
        return self

    def save(self, path: str | Path) -> None:
        """Write everything to one file: safetensors with a JSON header, no pickle."""
        check_is_fitted(self, "n_iter_")
        parameters = {name: _plain(value) for name, value in self.get_params().items()}
        # The seed that was drawn is saved with the layer.
        if not isinstance(parameters["random_state"], int):
            parameters["random_state"] = None
        save_tensors(Path(path), self.layer_.tensors(), {"parameters": parameters})

    @classmethod
    def load(cls, path: str | Path) -> "STDPClustering":
        """Read what ``save`` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            UserError: the file is damaged, or something else.
        """
        tensors, info = load_tensors(Path(path))
        try:
            return cls(**info["parameters"]).restore(tensors)
        except MISFITS as error:
            raise UserError(f"{path} holds no STDPClustering ({first_line(error)})") from None

    def restore(self, tensors: Tensors) -> "STDPClustering":
        """Continue from what ``layer_.tensors()`` gave."""
        layer = self._new_layer()
        layer.load_tensors(tensors)
        self.layer_, self.n_iter_ = layer, layer.n_passes
        self.n_features_in_ = layer.n_features
        return self

    def _like_fit(self, result: Tensor) -> Array:
        """A tensor if the last samples were; a loaded estimator gives arrays."""
        return result if getattr(self, "_gives_tensors", False) else result.cpu().numpy()

    def _new_layer(self) -> SpikingLayer:
        if not isinstance(self.n_clusters, int | np.integer) or self.n_clusters < 1:
            raise UserError(f"n_clusters must be a whole number from 1 on, not {self.n_clusters!r}")
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31)
        progress = getattr(self, "_progress", SILENT)
        group = getattr(self, "_group", ALONE)
        return SpikingLayer(int(self.n_clusters), int(seed), self._config(), progress, group)

    def _config(self) -> STDPConfig:
        return STDPConfig(**{name: _plain(getattr(self, name)) for name in SETTINGS})

    def _with_settings(self) -> SpikingLayer:
        """The layer, under the settings as they are now."""
        self.layer_.config = self._config()
        return self.layer_

    def _max_iter(self) -> int:
        if not isinstance(self.max_iter, int | np.integer) or self.max_iter < 1:
            raise UserError(f"max_iter must be a whole number from 1 on, not {self.max_iter!r}")
        return int(self.max_iter)

    def _samples(self, X: Any, reset: bool = False) -> Samples:
        """What was given, checked as scikit-learn checks it."""
        self._gives_tensors = isinstance(X, Tensor)
        if not self._gives_tensors and getattr(X, "ndim", 2) != 3:
            return Samples(validate_data(self, X, reset=reset, dtype="numeric"), self.engine)
        samples = Samples(X if isinstance(X, Tensor) else np.asarray(X), self.engine)
        if reset:
            self.n_features_in_ = samples.n_features
        elif samples.n_features != self.n_features_in_:
            raise UserError(
                f"X has {samples.n_features} features, but STDPClustering is expecting "
                f"{self.n_features_in_} features as input"
            )
        return samples

    @property
    def _n_features_out(self) -> int:
        return self.layer_.n_clusters


def _plain(value: Any) -> Any:
    """A NumPy scalar, as a grid search gives it, as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
