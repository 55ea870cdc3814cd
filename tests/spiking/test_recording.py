import torch

from deepstdp.clustering.stdp.layer import SpikingLayer
from deepstdp.clustering.stdp.samples import Samples
from deepstdp.config import STDPConfig
from deepstdp.spiking.encoding import label_keys
from deepstdp.spiking.layer import winners


def test_a_recording_is_what_the_engines_count():
    """Each neuron's recorded spikes are those that any engine counts of the same samples."""
    torch.manual_seed(0)
    data = torch.nn.functional.normalize(torch.randn(60, 12), dim=1)
    layer = SpikingLayer(5, 0, STDPConfig(encoding="direct"))
    samples, keys = Samples(data), label_keys(0, torch.arange(60))
    layer.learn(samples)
    response = next(layer.respond(samples, keys))
    recording = layer.record(samples, keys)
    counts = torch.stack([(recording.winners == j).sum(dim=1) for j in range(5)], dim=1)
    assert torch.equal(counts.int(), response.counts)
    for i in range(60):
        assert recording.counts(i).tolist() == counts[i].tolist()
        assert counts[i, recording.busiest(i, 1)[0]] == counts[i].max()
    assert recording.inputs.sum() == response.n_input_spikes
    assert counts.sum() > 0
    assert recording.inputs.shape == (60, layer.config.n_timesteps, 24)
    # Somebody fires where, and only where, a membrane has reached its threshold: the furthest.
    fired = recording.winners >= 0
    assert torch.equal(fired, (recording.potentials >= 1).any(dim=2))
    assert winners(response).shape == (60,)
