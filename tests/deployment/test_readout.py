"""Clusters in two layers of ReLUs, by equations of their own and against the STDP neurons."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepstdp.config import ClusteringConfig, Config, DataConfig, TrainingConfig
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.accuracy import clusters_of
from deepstdp.deployment.readout import compare_readout, most_active, readout, with_readout
from deepstdp.deployment.source import Source
from deepstdp.errors import UserError
from deepstdp.runner import run_experiment


@pytest.fixture(scope="module")
def source(run) -> Source:
    return Source.open(run)


def scores(source: Source, features: torch.Tensor) -> torch.Tensor:
    """What the two layers make of features."""
    shape = source.connections[-1].out_shape
    y = features.reshape(-1, *shape)
    for connection in readout(source.model, shape):
        y = connection.activations(y)
    return y.flatten(1)


def test_scores_are_the_equation_s(source):
    state, learnt = source.model.reducer.state(), source.model.clusterer.layer.learnt
    features = source.val_features[:20].double().numpy()
    mean, projection = (state[name].double().numpy() for name in ("mean", "projection"))
    z = (features - mean) @ projection
    r = np.concatenate([np.maximum(z, 0), np.maximum(-z, 0)], axis=1)
    sooner = learnt.synapses.numpy() / learnt.thresholds().numpy()[:, None] * learnt.v_threshold
    expected = np.maximum(r @ (sooner - sooner.mean(axis=0)).T, 0)
    found = scores(source, source.val_features[:20])
    assert np.allclose(found.numpy(), expected, atol=1e-4 * expected.max())
    # Neither the mean that is taken away nor the length of z changes which is greatest.
    unit = r / np.linalg.norm(r, axis=1, keepdims=True)
    assert (expected.argmax(axis=1) == (unit @ sooner.T).argmax(axis=1)).all()


def test_they_tell_the_clusters_of_the_stdp_neurons(source):
    clusters = clusters_of(source.model, source.val_features)
    found = scores(source, source.val_features).argmax(dim=1).numpy()
    again = source.model.clusterer.retest(source.model.reducer.transform(source.val_features))
    retest = (again.labels.numpy() == clusters).mean()
    assert (found == clusters).mean() > retest - 0.05


def test_thresholds_are_those_of_the_labels(source):
    """Without theta in labels all neurons have the same."""
    clusterer = source.model.clusterer
    config = clusterer.config
    try:
        clusterer.config = replace(config, theta_in_labels=False)
        _, last = readout(source.model, source.connections[-1].out_shape)
    finally:
        clusterer.config = config
    synapses = clusterer.layer.learnt.synapses
    assert torch.allclose(last.weight[:, :, 0, 0], (synapses - synapses.mean(dim=0)).float())


def test_spikes_of_many_steps_are_compared(source):
    longer = with_readout(source)
    assert len(longer.connections) == len(source.connections) + 2
    config = ConversionConfig(timesteps=256, n_images=64)
    network, _ = longer.convert(config)
    counts = network.counts(longer.shown_val(), 256)
    record = compare_readout(longer, counts, network.layers[-1].scale, 256)
    (point,) = record["curve"]
    float_scores = scores(source, source.val_features).argmax(dim=1).numpy()
    assert (most_active(counts) == float_scores).mean() > 0.9
    assert point["cluster_agreement"] > record["retest_agreement"] - 0.08
    assert point["relative_error"] < 0.15
    assert 0 < point["nmi_labels"] < 1


def test_other_clusterers_have_no_such_neurons(tmp_path):
    config = Config(
        data=DataConfig(image_size=16),
        clustering=ClusteringConfig(method="kmeans", n_clusters=12),
        training=TrainingConfig(epochs=1),
        accelerator="cpu",
    )
    source = Source.open(run_experiment(config, tmp_path / "kmeans"))
    with pytest.raises(UserError, match="last_layer clusters: this run has no STDP neurons"):
        with_readout(source)
