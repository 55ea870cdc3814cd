"""The estimator: scikit-learn's own checks, and what it promises beyond them."""

import inspect
import warnings
from dataclasses import fields

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from benchmarks.defaults import PROBLEMS, nmi_of_both
from deepstdp import STDPClustering
from deepstdp.clustering.stdp import layer
from deepstdp.config import STDPConfig
from deepstdp.errors import UserError
from deepstdp.files import save_tensors


@pytest.mark.filterwarnings("ignore:STDPClustering")
@parametrize_with_checks([STDPClustering(n_clusters=3)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def blobs(n=300, p=6, k=4):
    x, y = make_blobs(n, p, centers=k, random_state=0)
    return x.astype(np.float32), y


def test_every_setting_is_a_parameter_with_the_same_default():
    defaults = STDPClustering().get_params()
    for field in fields(STDPConfig):
        if field.name not in ("persistent", "n_passes"):
            assert defaults[field.name] == field.default
    assert "n_timesteps" in inspect.signature(STDPClustering).parameters
    with pytest.raises(TypeError, match="no parameter 'timesteps'"):
        STDPClustering(timesteps=3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:STDPClustering")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_defaults_are_as_good_as_k_means(problem):
    theirs, ours = nmi_of_both(problem)
    assert np.mean(ours - theirs) > -0.02


def test_two_clear_clusters_by_hand():
    # Four points in two pairs, twenty times over.
    x = np.tile([[0.0, 9.0], [0.5, 9.0], [9.0, 0.0], [9.0, 0.5]], (20, 1))
    labels = STDPClustering(2).fit_predict(x)
    assert set(labels[0::4]) == set(labels[1::4]) == {labels[0]}
    assert set(labels[2::4]) == set(labels[3::4]) == {1 - labels[0]}


def test_labels_are_what_predict_gives():
    x, _ = blobs()
    estimator = STDPClustering(4).fit(x)
    assert np.array_equal(estimator.labels_, estimator.predict(x))
    assert estimator.predict(x).dtype == np.int64
    counts = estimator.transform(x)
    assert counts.shape == (300, 4)
    assert estimator.get_feature_names_out().tolist() == [f"stdpclustering{i}" for i in range(4)]
    top = counts[np.arange(300), estimator.labels_]
    assert np.array_equal(top, counts.max(axis=1))


def test_labels_do_not_depend_on_batches_or_threads_or_order(monkeypatch):
    import numba

    x, _ = blobs()
    estimator = STDPClustering(4).fit(x)
    labels = estimator.predict(x)
    threads = numba.get_num_threads()
    try:
        for n_threads in range(1, threads + 1):
            numba.set_num_threads(n_threads)
            monkeypatch.setattr(layer, "_RESPONSE_BATCH", 7 * n_threads)
            assert np.array_equal(estimator.predict(x), labels)
    finally:
        numba.set_num_threads(threads)
    order = np.random.default_rng(0).permutation(300)
    assert np.array_equal(estimator.predict(x[order]), labels[order])


def test_engines_learn_the_same_to_the_bit():
    x, _ = blobs()
    learnt = [
        STDPClustering(4, engine=engine, max_iter=3).fit(x) for engine in ("reference", "cpu")
    ]
    assert np.array_equal(learnt[0].labels_, learnt[1].labels_)
    assert np.array_equal(learnt[0].cluster_centers_, learnt[1].cluster_centers_)
    assert np.array_equal(learnt[0].thresholds_, learnt[1].thresholds_)


def test_floating_point_clusters_as_well():
    x, y = blobs()
    labels = STDPClustering(4, arithmetic="float").fit_predict(x)
    assert normalized_mutual_info_score(y, labels) > 0.95


def test_centres_lie_where_the_clusters_are():
    x, y = blobs(p=150)
    estimator = STDPClustering(4).fit(x)
    means = np.stack([x[estimator.labels_ == j].mean(axis=0) for j in range(4)])
    cosine = np.sum((means - x.mean(0)) * (estimator.cluster_centers_ - x.mean(0)), axis=1)
    cosine /= np.linalg.norm(means - x.mean(0), axis=1)
    cosine /= np.linalg.norm(estimator.cluster_centers_ - x.mean(0), axis=1)
    assert (cosine > 0.98).all()


def test_tensors_give_tensors():
    x, _ = blobs()
    ours = STDPClustering(4).fit(torch.from_numpy(x))
    assert isinstance(ours.labels_, torch.Tensor)
    assert isinstance(ours.transform(torch.from_numpy(x)), torch.Tensor)
    assert isinstance(ours.cluster_centers_, torch.Tensor)
    assert isinstance(ours.thresholds_, torch.Tensor)
    assert np.array_equal(ours.labels_.numpy(), STDPClustering(4).fit(x).labels_)


def test_a_memory_map_is_read_in_parts(tmp_path):
    x, _ = blobs(n=1000)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(
        STDPClustering(4, max_iter=2).fit(mapped).labels_,
        STDPClustering(4, max_iter=2).fit(x).labels_,
    )


def test_partial_fit_streams():
    x, y = blobs(n=900)
    estimator = STDPClustering(4)
    for part in np.split(x, 9):
        estimator.partial_fit(part)
    assert estimator.n_iter_ == 9
    assert normalized_mutual_info_score(y, estimator.predict(x)) > 0.95


def test_fit_starts_anew():
    x, _ = blobs()
    estimator = STDPClustering(4, max_iter=2).fit(x + 100)
    again, fresh = estimator.fit(x), STDPClustering(4, max_iter=2).fit(x)
    assert np.array_equal(again.labels_, fresh.labels_)
    assert again.n_iter_ == 2


def spikes(n=200, n_timesteps=40, d=30):
    """Two groups of channels, of which one is busy."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    busy = (np.arange(d) < d // 2) == y[:, None]
    return rng.random((n, n_timesteps, d)) < np.where(busy, 0.3, 0.05)[:, None, :], y


def as_events(x):
    x = torch.from_numpy(x)
    ones = torch.ones(int(x.sum()))
    return torch.sparse_coo_tensor(x.nonzero().T, ones, x.shape, check_invariants=True)


@pytest.mark.parametrize("form", [np.asarray, torch.from_numpy, as_events])
def test_spikes_in_the_place_of_rates(form, tmp_path):
    dense, y = spikes()
    x = form(dense)
    estimator = STDPClustering(2).fit(x)
    assert normalized_mutual_info_score(y, np.asarray(estimator.labels_)) > 0.95
    assert estimator.cluster_centers_.shape == (2, 30)
    estimator.save(tmp_path / "s.safetensors")
    again = STDPClustering.load(tmp_path / "s.safetensors").predict(x)
    assert np.array_equal(np.asarray(again), np.asarray(estimator.labels_))
    assert np.array_equal(np.asarray(again), STDPClustering(2).fit(dense).labels_)
    with pytest.raises(ValueError, match="30 features"):
        estimator.predict(dense[:, :, :20])


def test_save_and_load(tmp_path):
    x, _ = blobs()
    estimator = STDPClustering(4, eta=0.03).fit(x[:200])
    estimator.save(tmp_path / "a.safetensors")
    loaded = STDPClustering.load(tmp_path / "a.safetensors")
    assert loaded.get_params() == estimator.get_params()
    assert np.array_equal(loaded.predict(x), estimator.predict(x))
    assert np.array_equal(loaded.partial_fit(x).predict(x), estimator.partial_fit(x).predict(x)), (
        "learning goes on as if there had been no file"
    )
    with pytest.raises(FileNotFoundError):
        STDPClustering.load(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    with pytest.raises(UserError, match="is damaged"):
        STDPClustering.load(tmp_path / "bad.safetensors")
    save_file({"w": torch.ones(1)}, tmp_path / "strange.safetensors")
    with pytest.raises(UserError, match="was not written by this version of deepstdp"):
        STDPClustering.load(tmp_path / "strange.safetensors")
    save_tensors(tmp_path / "other.safetensors", {"w": torch.ones(1)}, {})
    with pytest.raises(UserError, match="holds no STDPClustering"):
        STDPClustering.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"v_threshold": 1e4}, "make no neuron fire: lower v_threshold"),
        ({"threshold_drives": 1e4}, "make no neuron fire: lower threshold_drives"),
        ({"gain": 1e3}, "input rates are at their ceiling: lower gain"),
        ({"n_clusters": 250, "homeostasis": "none"}, "win no sample: set homeostasis"),
        (
            {"n_clusters": 3, "homeostasis": "dual", "alpha": 0.05},
            "homeostasis moved one: lower alpha",
        ),
    ],
)
def test_what_is_not_healthy_is_said_with_the_parameter_to_turn(settings, message):
    x, _ = blobs()
    estimator = STDPClustering(**({"n_clusters": 4, "max_iter": 2} | settings))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(x)
    said = [str(warning.message) for warning in caught]
    assert any(message in line for line in said)
    assert not any("\n" in line for line in said)


def test_a_healthy_layer_says_nothing():
    x, _ = blobs()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        health = STDPClustering(4).fit(x).health_
    assert health.dead_neurons == health.silent_samples == 0


@pytest.mark.parametrize(
    ("settings", "x", "message"),
    [
        ({"n_clusters": 0}, np.ones((5, 2)), "n_clusters must be"),
        ({"n_clusters": 6}, np.ones((5, 2)), "n_clusters=6, but n_samples=5"),
        ({"max_iter": 0}, np.ones((50, 2)), "max_iter must be"),
        ({"eta": 2.0}, np.ones((50, 2)), "eta must lie"),
        ({}, torch.tensor([[np.nan, 1.0]] * 50), "NaN"),
        ({}, torch.ones(50), "1 dimension"),
        ({}, torch.ones(50, 0), "nothing to cluster"),
        ({"batch_size": 20_000}, np.ones((50, 2)), "batch_size must be at most"),
    ],
)
def test_bad_input_is_a_value_error(settings, x, message):
    with pytest.raises(ValueError, match=message):
        STDPClustering(**({"n_clusters": 4} | settings)).fit(x)


def test_it_takes_part_in_a_pipeline():
    x, y = blobs()
    pipeline = make_pipeline(PCA(3), STDPClustering(4))
    assert normalized_mutual_info_score(y, pipeline.fit_predict(x)) > 0.95


def test_what_is_learnt_does_not_depend_on_the_batch_size():
    # A small form of benchmarks/batch_size.py.
    x, y = make_blobs(3000, 16, centers=10, cluster_std=4.0, random_state=1)
    spread = {
        b: [
            normalized_mutual_info_score(
                y, STDPClustering(10, batch_size=b, max_iter=2, random_state=s).fit_predict(x)
            )
            for s in range(5)
        ]
        for b in (16, 256, 2048)
    }
    means = [np.mean(values) for values in spread.values()]
    deviation = np.mean([np.std(values, ddof=1) for values in spread.values()])
    assert max(means) - min(means) <= 2 * deviation


def noise(n=400, p=8):
    """Where a label hangs on the last bit."""
    return np.random.default_rng(0).normal(size=(n, p)).astype(np.float32)


@pytest.mark.parametrize("p", [8, 150])
def test_a_saved_layer_is_the_same_to_the_bit(tmp_path, p):
    x = noise(p=p)
    estimator = STDPClustering(20, random_state=None, max_iter=2).fit(x)
    estimator.save(tmp_path / "a.safetensors")
    loaded = STDPClustering.load(tmp_path / "a.safetensors")
    assert np.array_equal(loaded.predict(x), estimator.labels_)
    mine, theirs = estimator.layer_.tensors(), loaded.layer_.tensors()
    assert set(mine) == set(theirs)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    mine, theirs = (e.partial_fit(x).layer_.learnt.synapses for e in (estimator, loaded))
    assert torch.equal(mine, theirs)


def test_numpy_parameters_can_be_saved(tmp_path):
    estimator = STDPClustering(np.int64(3), random_state=np.int64(2), eta=np.float64(0.1))
    estimator.fit(noise()).save(tmp_path / "a.safetensors")
    assert STDPClustering.load(tmp_path / "a.safetensors").eta == 0.1


def test_a_state_of_another_kind_is_refused(tmp_path):
    info = {"parameters": {}}
    save_tensors(tmp_path / "a.safetensors", {"n_passes": torch.ones(1)}, info)
    with pytest.raises(UserError, match="not that of a spiking layer"):
        STDPClustering.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("rule", ["centroid", "pair", "weight-dependent"])
def test_every_rule_learns_the_same_with_every_engine(rule):
    x = noise()
    learnt = [
        STDPClustering(6, engine=engine, rule=rule).partial_fit(x).layer_.learnt.synapses
        for engine in ("reference", "cpu")
    ]
    assert torch.equal(learnt[0], learnt[1])


def test_long_spike_trains_overflow_nothing():
    x = torch.ones(300, 1500, 2, dtype=torch.bool)
    x[:, :, 1] = False
    estimator = STDPClustering(1, v_threshold=0.4, max_iter=1).fit(x)
    assert estimator.cluster_centers_[0] == pytest.approx([1, 0], abs=0.01)
    with pytest.raises(ValueError, match="at most 8192 are possible"):
        STDPClustering(1).fit(torch.zeros(2, 9000, 1))


def test_too_many_features_for_int8():
    with pytest.raises(ValueError, match="reduce them"):
        STDPClustering(1).fit(np.ones((2, 9000)))


def test_settings_may_change_between_calls():
    x = noise()
    estimator = STDPClustering(4).partial_fit(x)
    before = estimator.layer_.learnt.synapses
    estimator.set_params(eta=1e-9).partial_fit(x)
    assert torch.allclose(estimator.layer_.learnt.synapses, before, atol=1e-6)


def test_a_tensor_with_a_gradient():
    x = torch.from_numpy(noise()).requires_grad_()
    assert STDPClustering(4).fit(x).cluster_centers_.shape[0] == 4
