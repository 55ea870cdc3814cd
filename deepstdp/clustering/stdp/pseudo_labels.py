"""STDP as a source of pseudo-labels: one call an epoch, with synapses that persist."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from deepstdp.clustering.base import Assignment, Clusterer, State
from deepstdp.clustering.stdp.estimator import OTHER_SEED, SETTINGS, STDPClustering
from deepstdp.clustering.stdp.layer import SpikingLayer
from deepstdp.clustering.stdp.samples import Samples
from deepstdp.config import STDPConfig
from deepstdp.processes import ALONE, Group
from deepstdp.progress import SILENT, Progress
from deepstdp.spiking.encoding import label_keys
from deepstdp.spiking.engines import Response
from deepstdp.spiking.inputs import SpikeInput
from deepstdp.spiking.layer import Labels, label, winners
from deepstdp.spiking.recording import Recording


class STDPPseudoLabels(Clusterer):
    """An ``STDPClustering`` that goes on learning from epoch to epoch.

    Each ``fit_predict`` is ``n_passes`` passes; then all samples are labelled with learning off,
    under the same noise for the same sample in every epoch.

    Args:
        n_clusters: number of neurons (K).
        seed: of the initial synapses, the order and the spikes.
        config: everything else.
        progress: follows the passes.
        group: the processes that share the samples.
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
        self._group = group
        self.persistent = config.persistent
        settings = {name: value for name, value in asdict(config).items() if name in SETTINGS}
        if config.encoding == "auto":  # features come whitened, as unit vectors
            settings["encoding"] = "direct"
        self._estimator = STDPClustering(n_clusters, random_state=seed, **settings)
        self._estimator.follow(progress).share(group)

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Learn, keeping the synapses of the last call if they persist, then label."""
        if not self.persistent and hasattr(self._estimator, "layer_"):
            self.layer.restart()
        for _ in range(self.config.n_passes):
            self._estimator.partial_fit(features)
        return self._labelled_as(features, self.seed)

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Label new samples; equal features get equal labels.

        Reports ``n_silent`` samples, the input spikes per channel and step as ``firing_rate_in``,
        the neurons' spikes per sample and step as ``firing_rate``, and their thresholds as shares
        of the one that they began with.
        """
        samples = self._samples(features)
        return self._assignment(label(self.layer.respond(samples)))

    def targets(self, features: Float[Tensor, "b p"]) -> Float[Tensor, "b k"]:
        """Learn from the batch, then answer it: each neuron's share of the spikes.

        A sample that makes no neuron fire is wholly the cluster that ``predict`` would give it.
        """
        self._estimator.partial_fit(features)
        responses = list(self.layer.respond(self._samples(features)))
        counts = torch.cat([response.counts for response in responses]).to(features.dtype)
        first = torch.cat([winners(response) for response in responses])
        certain = functional.one_hot(first, self.n_clusters).to(counts.dtype)
        total = counts.sum(dim=1, keepdim=True)
        return torch.where(total > 0, counts / total.clamp(min=1), certain)

    def retest(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Label the samples of ``fit_predict`` under another spike seed."""
        return self._labelled_as(features, self.seed ^ OTHER_SEED)

    @property
    def gain(self) -> float:
        """From features to spikes a step."""
        return self.layer.learnt.gain

    @property
    def encoding(self) -> str:
        """How features excite the channels (see ``STDPConfig``)."""
        receptors = self.layer.receptors
        assert receptors is not None
        return receptors.kind

    @property
    def layer(self) -> SpikingLayer:
        """The neurons, once they have learnt."""
        return self._estimator.layer_

    def record(self, features: Float[Tensor, "b p"], ids: Int64[Tensor, "b"]) -> Recording:
        """What happens step by step as samples of ``fit_predict`` are labelled.

        Args:
            features: of a few of them.
            ids: their numbers, which their spikes are a function of.
        """
        return self.layer.record(self._samples(features), label_keys(self.seed, ids))

    def respond_to_spikes(
        self, batches: Iterable[SpikeInput], n_timesteps: int
    ) -> Iterator[Response]:
        """How the neurons answer spikes of their on and off channels, with learning off."""
        return self.layer.respond_to_spikes(batches, n_timesteps)

    def learn_from_spikes(self, batches: Iterable[SpikeInput], n_timesteps: int) -> None:
        """Learn from spikes of the on and off channels."""
        self.layer.learn_from_spikes(batches, n_timesteps)

    def state(self) -> State:
        """Synapses, thresholds, receptors and scales."""
        return self.layer.tensors() if hasattr(self._estimator, "layer_") else {}

    def load_state(self, state: State) -> None:
        """Continue from ``state()``."""
        if state:
            self._estimator.restore(state)

    def _samples(self, features: Float[Tensor, "n p"]) -> Samples:
        return Samples(features, self.config.engine)

    def _labelled_as(self, features: Float[Tensor, "n p"], seed: int) -> Assignment:
        start, _ = self._group.rows(len(features))
        ids = torch.arange(start, start + len(features), device=features.device)
        keys = label_keys(seed, ids)
        return self._assignment(label(self.layer.respond(self._samples(features), keys)))

    def _assignment(self, result: Labels) -> Assignment:
        own = [len(result.labels), result.n_silent, result.n_input_spikes, result.n_output_spikes]
        n, n_silent, n_in, n_out = self._group.sum(torch.tensor(own)).tolist()
        steps, n_channels = n * self.config.n_timesteps, self.layer.n_channels
        state = self.layer.learnt
        thresholds = state.thresholds() / state.v_threshold
        diagnostics = {
            "n_silent": n_silent,
            "firing_rate_in": n_in / (steps * n_channels),
            "firing_rate": n_out / steps,
            "threshold_lowest": thresholds.min().item(),
            "threshold_mean": thresholds.mean().item(),
            "threshold_highest": thresholds.max().item(),
        }
        return Assignment(result.labels, self.n_clusters, diagnostics)
