"""The spiking clusterer: K neurons that learn by STDP which samples belong together."""

import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer, State
from deepstdp.config import STDPConfig
from deepstdp.keyed_random import Stream, numpy_generator
from deepstdp.progress import SILENT, Progress
from deepstdp.spiking import encoding
from deepstdp.spiking.engines import ENGINES
from deepstdp.spiking.layer import LayerState, initial_state, label, learn_batch


class STDPClustering(Clusterer):
    """On/off rate-coded spikes, LIF neurons with winner-take-all, STDP and homeostasis.

    Each ``fit_predict`` shows every sample once a pass, in keyed random order and in batches that
    see the same synapses, then labels all of them with learning off. The synapses of a neuron are
    its cluster's centroid, in on/off rate space.

    Args:
        n_clusters: number of neurons (K).
        seed: of the initial synapses, the order and the spikes.
        config: everything else.
        progress: follows the passes.
    """

    def __init__(
        self, n_clusters: int, seed: int, config: STDPConfig, progress: Progress = SILENT
    ) -> None:
        self.n_clusters, self.seed, self.config = n_clusters, seed, config
        self.persistent = config.persistent
        self._progress = progress
        self._engine = ENGINES[config.engine]()
        self._layer: LayerState | None = None
        self._n_passes = 0

    def fit_predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Learn, keeping the synapses of the last call if they persist, then label."""
        if self._layer is None or not self.config.persistent:
            seed = self.seed + self._n_passes
            self._layer = initial_state(features, self.n_clusters, seed, self.config)
        signed = encoding.quantise(features, self._layer.gain)
        for _ in range(self.config.n_passes):
            self._learn_pass(self._layer, signed)
        return self.predict(features)

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Label; equal features get equal labels.

        Reports ``n_silent`` samples, the input spikes per channel and step as ``firing_rate_in``,
        and the neurons' spikes per sample and step as ``firing_rate``.
        """
        return self._label(features, self.seed)

    def retest(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Label under another spike seed."""
        return self._label(features, self.seed ^ 0x5EED)

    def _learn_pass(self, layer: LayerState, signed: Tensor) -> None:
        n, size = len(signed), self.config.batch_size
        generator = numpy_generator(self.seed, Stream.CLUSTERING, self._n_passes)
        order = torch.from_numpy(generator.permutation(n)).to(signed.device)
        starts = range(0, n, size)
        for start in self._progress.track(starts, "STDP", len(starts)):
            ids = order[start : start + size]
            keys = encoding.learning_keys(self.seed, self._n_passes, ids)
            learn_batch(layer, signed[ids], keys, self._engine, self.config)
        self._n_passes += 1

    def _label(self, features: Float[Tensor, "n p"], seed: int) -> Assignment:
        layer = self._layer
        assert layer is not None
        signed = encoding.quantise(features, layer.gain)
        keys = encoding.label_keys(seed, signed)
        result = label(layer, signed, keys, self._engine, self.config)
        steps = len(features) * self.config.n_timesteps
        diagnostics = {
            "n_silent": result.n_silent,
            "firing_rate_in": result.n_input_spikes / (steps * layer.synapses.shape[1]),
            "firing_rate": result.n_output_spikes / steps,
        }
        return Assignment(result.labels, self.n_clusters, diagnostics)

    def state(self) -> State:
        """Synapses, thresholds and scales."""
        layer = self._layer
        if layer is None:
            return {}
        scales = [layer.gain, layer.v_threshold, layer.trace_scale, layer.mean_trace]
        return {
            "synapses": layer.synapses,
            "theta": layer.theta,
            "scales": torch.tensor(scales, dtype=torch.float64),
            "n_passes": torch.tensor(self._n_passes),
        }

    def load_state(self, state: State) -> None:
        """Continue from ``state()``."""
        if state:
            scales = state["scales"].tolist()
            self._layer = LayerState(state["synapses"], state["theta"], *scales)
            self._n_passes = int(state["n_passes"])
