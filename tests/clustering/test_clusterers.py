"""What every clusterer promises, and what each one promises beyond."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import normalized_mutual_info_score

from deepstdp.clustering import OnCPU, build_clusterer
from deepstdp.clustering.sinkhorn import transport_plan
from deepstdp.config import ClusteringConfig, ReductionConfig, SinkhornConfig, STDPConfig
from deepstdp.features import Reducer
from tests.clustering.samples import blobs, parts
from tests.helpers import in_processes

METHODS = ["stdp", "kmeans", "kmeans-warm", "sinkhorn", "random"]
PREDICTING = METHODS[:-1]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_several_processes_find_what_one_finds(method, size):
    x = blobs(n=301)[0].double()  # sums of floats depend on their order in the last bit
    config = ClusteringConfig(method=method, n_clusters=5)

    def work(group) -> list[torch.Tensor]:
        clusterer = build_clusterer(config, 3, group=group)
        own = parts(x, group)
        labels = [clusterer.fit_predict(own).labels for _ in range(2)]
        if clusterer.can_predict:
            labels.append(clusterer.predict(own).labels)
            labels += [clusterer.targets(own).argmax(dim=1) for _ in range(2)]
        again = clusterer.retest(own)
        return labels if again is None else [*labels, again.labels]

    (alone,) = in_processes(1, work)
    shared = in_processes(size, work)
    assert [torch.cat(column).tolist() for column in zip(*shared, strict=True)] == [
        labels.tolist() for labels in alone
    ]


def make(method: str, k: int = 5, seed: int = 0, **stdp):
    config = ClusteringConfig(method=method, n_clusters=k, stdp=STDPConfig(**stdp))
    return build_clusterer(config, seed)


@pytest.mark.parametrize("method", METHODS)
def test_labels_are_a_function_of_the_seed(method):
    x, _ = blobs()
    first, second, other = (make(method, seed=s).fit_predict(x) for s in (1, 1, 2))
    assert torch.equal(first.labels, second.labels)
    assert not torch.equal(first.labels, other.labels)
    assert first.n_clusters == 5
    assert ((first.labels >= 0) & (first.labels < 5)).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_cluster(method):
    x, _ = blobs()
    assert (make(method, k=1).fit_predict(x).labels == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_as_many_clusters_as_samples(method):
    x, _ = blobs(n=20)
    assert make(method, k=20).fit_predict(x).labels.max() < 20


@pytest.mark.parametrize("method", METHODS)
def test_state_restores_everything(method):
    x, _ = blobs()
    clusterer, other = make(method), make(method)
    clusterer.fit_predict(x)
    other.load_state({name: value.clone() for name, value in clusterer.state().items()})
    if clusterer.can_predict:
        assert torch.equal(clusterer.predict(x).labels, other.predict(x).labels)
    assert torch.equal(clusterer.fit_predict(x).labels, other.fit_predict(x).labels)


@pytest.mark.parametrize("method", PREDICTING)
def test_clear_blobs_are_found_and_predicted(method):
    x, y = blobs()
    clusterer = make(method, k=8)
    for _ in range(4):
        assignment = clusterer.fit_predict(x)
    assert normalized_mutual_info_score(y, assignment.labels.numpy()) > 0.8
    agreement = (clusterer.predict(x).labels == assignment.labels).double().mean()
    # Spikes are drawn anew in ``predict``, and Sinkhorn balances only what it was fitted to.
    bound = {"sinkhorn": 0.8}.get(method, 0.999)
    if method == "stdp":
        bound = (clusterer.retest(x).labels == assignment.labels).double().mean() - 0.05
        assert bound > 0.7
    assert agreement > bound


def test_what_persists():
    x = torch.nn.functional.normalize(torch.randn(400, 12, generator=torch.Generator()), dim=1)
    for method, persists in [("stdp", True), ("kmeans", False), ("kmeans-warm", True)]:
        clusterer = make(method, k=20, **({"eta": 1e-6} if method == "stdp" else {}))
        assert clusterer.persistent is persists
        # The seeding of the second epoch must matter for k-means alone.
        first, second = clusterer.fit_predict(x).labels, clusterer.fit_predict(x).labels
        assert bool((first == second).double().mean() > 0.8) is persists


@pytest.mark.parametrize("rule", ["centroid", "pair", "weight-dependent"])
def test_each_rule_learns_the_digits(rule):
    digits = load_digits()
    x = Reducer(ReductionConfig(64)).fit_transform(torch.from_numpy(digits.data).float())
    clusterer = make("stdp", k=30, rule=rule)
    nmi = [
        normalized_mutual_info_score(digits.target, clusterer.fit_predict(x).labels.numpy())
        for _ in range(5)
    ]
    # Labels at random have an NMI of about 0.05 here.
    assert nmi[-1] > 0.4
    if rule == "centroid":
        theirs = KMeans(30, n_init=1, random_state=0).fit_predict(x.numpy())
        assert nmi[-1] > normalized_mutual_info_score(digits.target, theirs) - 0.02


def test_graded_inhibition_clusters_too():
    x, y = blobs()
    clusterer = make("stdp", inhibition="graded", inhibition_strength=1.0)
    for _ in range(4):
        assignment = clusterer.fit_predict(x)
    assert normalized_mutual_info_score(y, assignment.labels.numpy()) > 0.7


def test_dual_homeostasis_balances_and_floor_does_not_force_it():
    # Nine tenths of the samples lie in one of two broad clouds.
    noise = torch.randn(1000, 12, generator=torch.Generator().manual_seed(0))
    centres = 6 * torch.eye(12)[(torch.arange(1000) >= 900).long()]
    x = torch.nn.functional.normalize(noise + centres, dim=1)

    def largest(form: str) -> float:
        clusterer = make("stdp", k=2, homeostasis=form)
        for _ in range(20):
            assignment = clusterer.fit_predict(x)
        return assignment.labels.bincount(minlength=2).max().item() / len(x)

    assert largest("dual") < 0.6
    assert largest("floor") > 0.75


def test_a_given_gain_is_kept():
    x, _ = blobs()
    clusterer = make("stdp", gain=3.0)
    clusterer.fit_predict(x)
    assert clusterer.state()["receptors.gain"] == 3.0


def test_retest_is_other_noise_on_the_same_samples():
    x, _ = blobs()
    clusterer = make("stdp", k=20)
    labels = clusterer.fit_predict(x).labels
    again = clusterer.retest(x).labels
    assert 0.2 < (labels == again).double().mean() < 1
    assert make("kmeans").retest(x) is None


def test_diagnostics_count():
    x, _ = blobs()
    diagnostics = make("stdp").fit_predict(x).diagnostics
    # 12 features at half a spike each, on 24 channels.
    assert diagnostics["firing_rate_in"] == pytest.approx(0.25, abs=0.03)
    assert 0 < diagnostics["firing_rate"] < 1
    high = make("stdp", v_threshold=1e6, homeostasis="none").fit_predict(x)
    assert high.diagnostics["n_silent"] == len(x)


def test_synapses_that_do_not_persist_start_anew():
    x, _ = blobs()
    kept, renewed = (make("stdp", persistent=flag, eta=1e-6) for flag in (True, False))
    for clusterer in (kept, renewed):
        clusterer.fit_predict(x)
    before = [c.state()["neurons.synapses"].clone() for c in (kept, renewed)]
    for clusterer in (kept, renewed):
        clusterer.fit_predict(x)
    after = [c.state()["neurons.synapses"] for c in (kept, renewed)]
    assert torch.allclose(before[0], after[0], atol=1e-3)
    assert not torch.allclose(before[1], after[1], atol=1e-1)


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(2, 8))
def test_sinkhorn_plans_are_balanced(seed, k):
    similarity = torch.rand(40, k, generator=torch.Generator().manual_seed(seed))
    plan = transport_plan(similarity, epsilon=0.2, n_normalisations=100)
    assert torch.allclose(plan.sum(dim=1), torch.ones(40), atol=1e-4)
    assert torch.allclose(plan.sum(dim=0), torch.full((k,), 40 / k), atol=1e-2)


@pytest.mark.parametrize("method", METHODS)
def test_on_the_cpu_it_is_the_same_clusterer(method):
    x, _ = blobs()
    plain, wrapped, restored = make(method), OnCPU(make(method)), OnCPU(make(method))
    assert torch.equal(plain.fit_predict(x).labels, wrapped.fit_predict(x).labels)
    assert wrapped.persistent == plain.persistent
    assert wrapped.can_predict == plain.can_predict
    assert (wrapped.retest(x) is None) == (plain.retest(x) is None)
    if plain.can_predict:
        restored.load_state(wrapped.state())
        assert torch.equal(plain.predict(x).labels, restored.predict(x).labels)


@pytest.mark.parametrize("method", PREDICTING)
def test_targets_are_distributions_that_agree_with_the_labels(method):
    x, _ = blobs()
    clusterer = build_clusterer(ClusteringConfig(method=method, n_clusters=5), 0)
    clusterer.fit_predict(x)
    targets = clusterer.targets(x[:64])
    assert targets.shape == (64, 5)
    assert targets.dtype == x.dtype
    assert torch.allclose(targets.sum(dim=1), torch.ones(64))
    agreement = targets.argmax(dim=1) == clusterer.predict(x[:64]).labels
    assert agreement.double().mean() > 0.9


def test_stdp_learns_from_the_batches_it_answers_and_kmeans_does_not():
    x, _ = blobs()
    for method, learns in (("stdp", True), ("sinkhorn", True), ("kmeans-warm", False)):
        clusterer = build_clusterer(ClusteringConfig(method=method, n_clusters=5), 0)
        clusterer.fit_predict(x)
        before = {name: value.clone() for name, value in clusterer.state().items()}
        clusterer.targets(x[:64])
        after = clusterer.state()
        name = {"stdp": "neurons.synapses", "sinkhorn": "prototypes"}.get(method, "centres")
        assert torch.equal(before[name], after[name]) != learns


def test_spike_counts_are_the_targets_of_stdp():
    x, _ = blobs()
    clusterer = build_clusterer(ClusteringConfig(method="stdp", n_clusters=5), 0)
    clusterer.fit_predict(x)
    targets = clusterer.targets(x[:32])
    counts = torch.as_tensor(clusterer._estimator.transform(x[:32]))
    silent = counts.sum(dim=1) == 0
    shares = counts / counts.sum(dim=1, keepdim=True)
    assert torch.allclose(targets[~silent], shares[~silent])
    assert set(targets[silent].amax(dim=1).tolist()) <= {1.0}


def test_a_small_batch_is_balanced_together_with_the_queue():
    x, _ = blobs()
    config = ClusteringConfig(method="sinkhorn", n_clusters=5, sinkhorn=SinkhornConfig(queue=300))
    clusterer = build_clusterer(config, 0)
    clusterer.fit_predict(x)
    # A batch from one blob alone is spread over all clusters, until the queue knows the others.
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    one_blob = x[clusterer.predict(x).labels == 0][:16]
    alone = clusterer.targets(one_blob).argmax(dim=1)
    for rows in order.split(50):
        clusterer.targets(x[rows])
    assert len(clusterer.own_rows()["queue"]) == 300
    together = clusterer.targets(one_blob).argmax(dim=1)
    assert len(set(alone.tolist())) == 5
    assert len(set(together.tolist())) == 1
