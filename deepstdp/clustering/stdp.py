"""The spiking clusterer: K neurons that learn by STDP which samples belong together."""

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from deepstdp.clustering.base import Assignment, Clusterer, State
from deepstdp.clustering.lloyd import kmeans_plus_plus
from deepstdp.config import STDPConfig
from deepstdp.keyed_random import Stream, numpy_generator, torch_generator
from deepstdp.progress import SILENT, Progress
from deepstdp.spiking import encoding
from deepstdp.spiking.engines import ENGINES
from deepstdp.spiking.layer import LayerState, initial_state, label, learn_batch

_OTHER_SEED = 0x5EED
_START, _ORDER = 0, 1


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
            self._layer = self._start(features)
        signed = encoding.quantise(features, self._layer.gain)
        for _ in range(self.config.n_passes):
            self._learn_pass(self._layer, signed)
        return self._label(signed, self._label_keys(signed, self.seed))

    def predict(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Label new samples; equal features get equal labels.

        Reports ``n_silent`` samples, the input spikes per channel and step as ``firing_rate_in``,
        and the neurons' spikes per sample and step as ``firing_rate``.
        """
        assert self._layer is not None
        signed = encoding.quantise(features, self._layer.gain)
        return self._label(signed, encoding.predict_keys(self.seed, signed))

    def retest(self, features: Float[Tensor, "n p"]) -> Assignment:
        """Label the samples of ``fit_predict`` under another spike seed."""
        assert self._layer is not None
        signed = encoding.quantise(features, self._layer.gain)
        return self._label(signed, self._label_keys(signed, self.seed ^ _OTHER_SEED))

    @staticmethod
    def _label_keys(signed: Int32[Tensor, "n p"], seed: int) -> encoding.SpikeKeys:
        return encoding.label_keys(seed, len(signed), signed.device)

    def _start(self, features: Float[Tensor, "n p"]) -> LayerState:
        """A fresh layer: gain from the features, synapses from k-means++ seeds."""
        gain = self.config.gain
        if gain == "auto":
            gain = encoding.automatic_gain(features, self.config.input_spikes)
        rates = encoding.on_off(encoding.quantise(features, gain))
        # Synapses that do not persist start from other seeds each time.
        generator = numpy_generator(self.seed, Stream.CLUSTERING, _START, self._n_passes)
        seeds = kmeans_plus_plus(rates, self.n_clusters, generator)
        noise = torch_generator(self.seed, Stream.SYNAPSE_NOISE, self._n_passes)
        return initial_state(rates, seeds, gain, noise, self.config)

    def _learn_pass(self, layer: LayerState, signed: Int32[Tensor, "n p"]) -> None:
        n, size = len(signed), self.config.batch_size
        generator = numpy_generator(self.seed, Stream.CLUSTERING, _ORDER, self._n_passes)
        order = torch.from_numpy(generator.permutation(n)).to(signed.device)
        starts = range(0, n, size)
        for start in self._progress.track(starts, "STDP", len(starts)):
            ids = order[start : start + size]
            keys = encoding.learning_keys(self.seed, self._n_passes, ids)
            learn_batch(layer, signed[ids], keys, self._engine, self.config)
        self._n_passes += 1

    def _label(self, signed: Int32[Tensor, "n p"], keys: encoding.SpikeKeys) -> Assignment:
        layer = self._layer
        assert layer is not None
        result = label(layer, signed, keys, self._engine, self.config)
        steps = len(signed) * self.config.n_timesteps
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
