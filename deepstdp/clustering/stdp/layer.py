"""The spiking layer at work on samples: it starts from them, learns them and answers them."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from deepstdp.clustering.lloyd import seed_indices
from deepstdp.clustering.stdp.samples import Samples
from deepstdp.config import STDPConfig
from deepstdp.config.spiking import MAX_FEATURES, MAX_TIMESTEPS
from deepstdp.errors import UserError
from deepstdp.files import Tensors, require_real
from deepstdp.keyed_random import Stream, numpy_generator, torch_generator
from deepstdp.processes import ALONE, Group
from deepstdp.progress import SILENT, Progress
from deepstdp.spiking import encoding
from deepstdp.spiking.encoding import SpikeKeys
from deepstdp.spiking.engines import Engine, Response, make_engine
from deepstdp.spiking.inputs import Input, SpikeInput
from deepstdp.spiking.layer import LayerState, circuit, initial_state, learn_batch, respond
from deepstdp.spiking.receptors import Receptors, fit_receptors, kind_for
from deepstdp.spiking.recording import Recording, record

_START, _ORDER, _SUBSET = 0, 1, 2
_SUBSET_PER_CLUSTER, _SMALL_SUBSET, _LARGE_SUBSET = 10, 5_000, 20_000
"""How many samples set the scales and offer themselves as seeds, and the least and the most."""

_MOST_CHOSEN = 1_000
"""With more neurons than this, seeds are samples at random: choosing them costs N K P."""

_RESPONSE_BATCH, _RESPONSE_ENTRIES = 2048, 1 << 24
"""Samples that are labelled at once, and the most numbers that they may have or give."""


class SpikingLayer:
    """Receptors, K neurons and the passes they have learnt.

    Args:
        n_clusters: number of neurons (K).
        seed: of the initial synapses, the order of samples and the spikes.
        config: everything else.
        progress: follows the passes.
        group: the processes that share the samples; each gives its own.

    Attributes:
        state: what has been learnt; None before the first pass.
        receptors: of the features; None for spikes, and before the first pass.
        n_passes: passes so far, also those of a state that was left behind by ``restart``.
    """

    def __init__(
        self,
        n_clusters: int,
        seed: int,
        config: STDPConfig,
        progress: Progress = SILENT,
        group: Group = ALONE,
    ) -> None:
        self.n_clusters, self.seed, self.config = n_clusters, seed, config
        self._progress, self._group = progress, group
        self.state: LayerState | None = None
        self.receptors: Receptors | None = None
        self.n_passes = 0

    @property
    def learnt(self) -> LayerState:
        """The state of a layer that has started."""
        assert self.state is not None
        return self.state

    @property
    def n_channels(self) -> int:
        """Input channels (I) of a layer that has started."""
        return self.learnt.synapses.shape[1]

    @property
    def n_features(self) -> int:
        """P of the features, D of the spikes, that a layer started from."""
        return self.n_channels if self.receptors is None else len(self.receptors.mean)

    def restart(self) -> None:
        """Forget synapses and scales; the next start is from other seeds."""
        self.state = self.receptors = None

    def learn(self, samples: Samples) -> None:
        """One pass over the samples in keyed random order, in batches that see the same synapses.

        The first pass takes the scales and the seeds of the synapses from the samples.

        Raises:
            UserError: on the first pass, fewer samples than neurons.
        """
        if self.state is None:
            self._start(samples)
        state, config = self._on_device_of(samples), self.config
        first, n = self._group.rows(len(samples))
        generator = numpy_generator(self.seed, Stream.CLUSTERING, _ORDER, self.n_passes)
        order = generator.permutation(n)
        engine = self._engine(samples.device)
        n_timesteps = self._n_timesteps(samples)
        size = config.largest_batch(n_timesteps)  # spikes bring their T
        starts = range(0, n, size)
        for start in self._progress.track(starts, "STDP", len(starts)):
            batch = order[start : start + size]
            own = batch[(batch >= first) & (batch < first + len(samples))]
            inputs = self._learning_inputs(samples, own, first) if len(own) else None
            learn_batch(state, inputs, len(batch), n_timesteps, engine, config, self._group)
        self.n_passes += 1

    def _learning_inputs(self, samples: Samples, ids: Int64[np.ndarray, "b"], first: int) -> Input:
        """What is presented of this process's samples of a batch; spikes go by the global id."""
        on_device = torch.from_numpy(ids).to(samples.device)
        keys = encoding.learning_keys(self.seed, self.n_passes, on_device)
        return samples.inputs(on_device - first, self.receptors, keys)

    def respond(self, samples: Samples, keys: SpikeKeys | int | None = None) -> Iterator[Response]:
        """How the layer answers, batch by batch, with learning off.

        Args:
            samples: to present.
            keys: of their spikes, or another seed than the layer's, with which each sample's own
                rates make them.
        """
        state, config = self._on_device_of(samples), self.config

        def batches() -> Iterator[Input]:
            # Of spikes, the samples themselves are large.
            entries = max(self.n_clusters, samples.n_features * (samples.n_timesteps or 1))
            size = max(1, min(_RESPONSE_BATCH, _RESPONSE_ENTRIES // entries))
            starts = range(0, len(samples), size)
            for start in self._progress.track(starts, "labels", len(starts)):
                rows = slice(start, min(start + size, len(samples)))
                ids = torch.arange(rows.start, rows.stop, device=samples.device)
                given = keys[rows] if isinstance(keys, SpikeKeys) else keys
                yield samples.inputs(ids, self.receptors, self.seed if given is None else given)

        n_timesteps = self._n_timesteps(samples)
        return respond(state, batches(), n_timesteps, self._engine(samples.device), config)

    def record(self, samples: Samples, keys: SpikeKeys) -> Recording:
        """What happens step by step as a few samples are labelled; ``keys`` are of their spikes."""
        state, config = self._on_device_of(samples), self.config
        n_timesteps = self._n_timesteps(samples)
        neurons_at_rest = circuit(state, n_timesteps, config, with_theta=config.theta_in_labels)
        ids = torch.arange(len(samples), device=samples.device)
        return record(samples.inputs(ids, self.receptors, keys), neurons_at_rest)

    def respond_to_spikes(
        self, batches: Iterable[SpikeInput], n_timesteps: int
    ) -> Iterator[Response]:
        """How a layer that learnt from features answers the spikes of its channels themselves."""
        engine = self._engine(self.learnt.synapses.device)
        return respond(self.learnt, batches, n_timesteps, engine, self.config)

    def learn_from_spikes(self, batches: Iterable[SpikeInput], n_timesteps: int) -> None:
        """One pass of such a layer over the spikes of its channels.

        Args:
            batches: of samples that see the same synapses; see ``largest_batch``.
            n_timesteps: T.
        """
        engine = self._engine(self.learnt.synapses.device)
        for inputs in batches:
            learn_batch(self.learnt, inputs, len(inputs), n_timesteps, engine, self.config)
        self.n_passes += 1

    def _engine(self, device: torch.device) -> Engine:
        return make_engine(self.config.engine, device, self.config.fixed_point)

    def _n_timesteps(self, samples: Samples) -> int:
        n_timesteps = samples.n_timesteps or self.config.n_timesteps
        if n_timesteps > MAX_TIMESTEPS:
            raise UserError(f"spikes of {n_timesteps} steps: at most {MAX_TIMESTEPS} are possible")
        return n_timesteps

    def _on_device_of(self, samples: Samples) -> LayerState:
        """The state, moved to where the samples are."""
        if self.learnt.synapses.device != samples.device:
            self.state = self.learnt.to(samples.device)
            if self.receptors is not None:
                self.receptors = self.receptors.to(samples.device)
        return self.learnt

    def _start(self, samples: Samples) -> None:
        """Receptors, scales and synapses from a random subset, on the CPU on every device."""
        (first, n), k = self._group.rows(len(samples)), self.n_clusters
        if k > n:
            raise UserError(f"n_clusters={k}, but n_samples={n}: give at least a sample a neuron")
        if samples.n_features > MAX_FEATURES:
            raise UserError(
                f"int8 synapses cannot resolve {samples.n_features} features: reduce them to "
                f"{MAX_FEATURES} or fewer first, for example by PCA"
            )
        key = (self.seed, Stream.CLUSTERING)
        size = min(max(_SUBSET_PER_CLUSTER * k, _SMALL_SUBSET), _LARGE_SUBSET)
        size = min(max(size, k), n)
        chosen = numpy_generator(*key, _SUBSET, self.n_passes).permutation(n)[:size]
        own = np.sort(chosen[(chosen >= first) & (chosen < first + len(samples))]) - first
        ids = torch.from_numpy(own).to(samples.device)
        if samples.is_spikes:
            self.receptors, gain, n_active = None, 1.0, samples.n_features
            parts = [(samples.rows(some) != 0).float().mean(dim=1) for some in ids.split(256)]
            points = rates = self._group.gather(torch.cat(parts)).cpu()
        else:
            rows = self._group.gather(samples.rows(ids)).cpu()
            self.receptors = fit_receptors(rows, self.seed, self.config)
            gain, n_active = self.receptors.gain, self.receptors.n_channels
            points, rates = rows.double(), encoding.on_off(self.receptors.rates(rows))
        seeds = rates[self._choose(points)]
        noise = torch_generator(self.seed, Stream.SYNAPSE_NOISE, self.n_passes)
        self.state = initial_state(rates, seeds, n_active, gain, noise, self.config)

    def _choose(self, points: Float[Tensor, "n p"]) -> Int64[Tensor, "k"]:
        """The samples that synapses start from: k-means++, or any for very many neurons."""
        k, n = self.n_clusters, len(points)
        generator = numpy_generator(self.seed, Stream.CLUSTERING, _START, self.n_passes)
        if k > _MOST_CHOSEN:
            return torch.from_numpy(generator.permutation(n)[:k])
        # Twice scikit-learn's candidates: k-means can move a seed far, STDP cannot.
        return seed_indices(points, k, generator, 2 * (2 + int(math.log(k))))

    def tensors(self) -> Tensors:
        """Everything that has been learnt."""
        parts = {"neurons": self.state, "receptors": self.receptors}
        saved = {"n_passes": _tensor(self.n_passes), "seed": _tensor(self.seed)}
        for prefix, part in parts.items():
            if part is not None:
                values = {name: x for name, x in vars(part).items() if name != "kind"}
                saved |= {f"{prefix}.{name}": _tensor(x) for name, x in values.items()}
        return saved

    def load_tensors(self, tensors: Tensors) -> None:
        """Continue from ``tensors()``.

        Raises:
            UserError: tensors of something else, or of another version.
            ValueError: tensors of other shapes.
        """
        if "neurons.synapses" not in tensors or "seed" not in tensors:
            raise UserError("the saved state is not that of a spiking layer of this version")
        self.n_passes, self.seed = int(tensors["n_passes"]), int(tensors["seed"])
        parts: dict[str, dict[str, Any]] = {}
        for prefix in ("neurons", "receptors"):
            start = f"{prefix}."
            named = {n.removeprefix(start): x for n, x in tensors.items() if n.startswith(start)}
            parts[prefix] = {name: x if x.ndim else x.item() for name, x in named.items()}
        self.state = LayerState(**parts["neurons"])
        require_real("synapses", self.state.synapses, self.n_clusters, None)
        require_real("theta", self.state.theta, self.n_clusters)
        if {self.state.synapses.dtype, self.state.theta.dtype} - {torch.float32, torch.float64}:
            raise ValueError("its synapses or thresholds are in half precision")
        _require_numbers(self.state, "n_active", "gain", "v_threshold")
        if not 1 <= self.state.n_active <= self.state.synapses.shape[1]:
            raise ValueError(f"of its channels {self.state.n_active} can spike in a step")
        self.receptors = None
        if parts["receptors"]:
            kind = kind_for(len(parts["receptors"]["mean"]), self.config)
            self.receptors = Receptors(kind=kind, **parts["receptors"])
            require_real("mean", self.receptors.mean, None)
            require_real("phase", self.receptors.phase, None)
            require_real("tuning", self.receptors.tuning, None, None)
            require_real("synapses", self.state.synapses, None, 2 * self.receptors.n_channels)
            _require_numbers(self.receptors, "gain")


def _require_numbers(part: LayerState | Receptors, *names: str) -> None:
    """Check values that are one number each."""
    wrong = [name for name in names if type(getattr(part, name)) not in (int, float)]
    if wrong:
        raise ValueError(f"its {wrong[0]} is no number")


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else torch.int64)
