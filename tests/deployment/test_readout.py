"""Clusters in two layers of ReLUs, by hand and against the STDP neurons."""

from dataclasses import replace

import pytest
import torch

from deepstdp.clustering import STDPPseudoLabels
from deepstdp.config import ClusteringConfig, Config, DataConfig, STDPConfig, TrainingConfig
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.accuracy import clusters_of
from deepstdp.deployment.folding import Connection
from deepstdp.deployment.readout import compare_readout, readout
from deepstdp.deployment.source import Source
from deepstdp.errors import UserError
from deepstdp.features import Reducer
from deepstdp.runner import run_experiment


@pytest.fixture(scope="module")
def source(run) -> Source:
    return Source.open(run, last_layer="clusters")


def scores(layers, features: torch.Tensor) -> torch.Tensor:
    """What the two layers make of features."""
    y = features.reshape(-1, *layers[0].shape)
    for layer in layers:
        y = layer.activations(y)
    return y.flatten(1)


def by_hand(theta_in_labels: bool = True) -> list[Connection]:
    """Two features, one component (their difference, less 1), two neurons."""
    clusterer = STDPPseudoLabels(2, 0, STDPConfig(theta_in_labels=theta_in_labels))
    clusterer.fit_predict(torch.tensor([[1.0], [-1.0]]).repeat(10, 1))
    learnt = clusterer.layer.learnt
    learnt.synapses = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    learnt.v_threshold = 2.0
    learnt.theta = torch.tensor([0.0, 2.0], dtype=torch.float64)
    reducer = Reducer.__new__(Reducer)
    reducer.state = lambda: {
        "mean": torch.tensor([1.0, 0.0]),
        "projection": torch.tensor([[1.0], [-1.0]]),
    }
    return readout(reducer, clusterer, (2, 1, 1))


def test_two_neurons_by_hand():
    layers = by_hand()
    assert [layer.out_shape for layer in layers] == [(2, 1, 1), (2, 1, 1)]
    # w v / theta = (1, 0) and (0.3, 0.4); less their mean: (0.35, -0.2) and (-0.35, 0.2)
    # (3, 0): 3 - 0 - 1 = 2, on 2; 0.7 and -0.7. (0, 1): -2, off 2; -0.4 and 0.4.
    found = scores(layers, torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
    assert torch.allclose(found, torch.tensor([[0.7, 0.0], [0.0, 0.4]]))
    # Without theta: (1, 0) and (0.6, 0.8); less their mean: (0.2, -0.4) and (-0.2, 0.4)
    alike = by_hand(theta_in_labels=False)
    found = scores(alike, torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
    assert torch.allclose(found, torch.tensor([[0.4, 0.0], [0.0, 0.8]]))


def test_they_tell_the_clusters_of_the_stdp_neurons(source):
    clusters = clusters_of(source.model, source.val_features)
    found = scores(source.readout, source.val_features).argmax(dim=1).numpy()
    again = source.model.clusterer.retest(source.model.reducer.transform(source.val_features))
    retest = (again.labels.numpy() == clusters).mean()
    assert (found == clusters).mean() > retest - 0.05


def test_the_length_of_features_does_not_matter(source):
    """L2 normalisation is not needed: features twice as far from the mean, the same clusters."""
    mean = source.model.reducer.state()["mean"]
    near = scores(source.readout, source.val_features)
    far = scores(source.readout, mean + 2 * (source.val_features - mean))
    assert torch.allclose(far, 2 * near, atol=1e-4 * near.max())
    assert (near.amax(dim=1) > 0).all()


def test_spikes_of_many_steps_are_compared(source):
    config = ConversionConfig(timesteps=256, n_images=64)
    network, _ = source.convert(config)
    assert len(network.layers) == len(source.connections) + 2
    counts = network.counts(source.shown_val(), 256)
    record = source.kept(counts, network.layers[-1].scale, 256)
    (point,) = record["curve"]
    float_scores = scores(source.readout, source.val_features).argmax(dim=1)
    assert (counts.argmax(dim=1) == float_scores).double().mean() > 0.9
    assert point["cluster_agreement"] > record["retest_agreement"] - 0.08
    assert point["relative_error"] < 0.15
    assert 0 < point["nmi_labels"] < 1
    assert point["ties"] < 0.1


def test_ties_are_counted(source):
    counts = torch.zeros(len(source.val_features), 12, dtype=torch.int64)
    counts[:10, 3] = 1
    arguments = (source.model, source.readout, source.val_features, counts, 1.0, 8, None)
    (point,) = compare_readout(*arguments)["curve"]
    assert point["ties"] == pytest.approx(1 - 10 / len(counts))


def test_other_clusterers_have_no_such_neurons(tmp_path):
    config = Config(
        data=DataConfig(image_size=16),
        clustering=ClusteringConfig(method="kmeans", n_clusters=12),
        training=TrainingConfig(epochs=1),
        accelerator="cpu",
    )
    run = run_experiment(config, tmp_path / "kmeans")
    with pytest.raises(UserError, match="last_layer clusters: this run has no STDP neurons"):
        Source.open(run, last_layer="clusters")


def test_a_run_in_double_precision_is_converted(tmp_path):
    config = Config(
        data=DataConfig(image_size=16),
        clustering=ClusteringConfig(n_clusters=12),
        training=TrainingConfig(epochs=1),
        accelerator="cpu",
    )
    run = run_experiment(replace(config, precision="64-true"), tmp_path / "double")
    source = Source.open(run, last_layer="clusters")
    network, _ = source.convert(ConversionConfig(timesteps=8, n_images=16))
    counts = network.counts(source.shown_val(), 8)
    (point,) = source.kept(counts, network.layers[-1].scale, 8)["curve"]
    assert point["relative_error"] < 1
