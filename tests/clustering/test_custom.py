"""Clusterers of the user's own, and scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from deepstdp.checkpoint import _own_rows, _rows_of_all
from deepstdp.clustering import Assignment, Clusterer, build_clusterer
from deepstdp.clustering.sinkhorn import Sinkhorn
from deepstdp.config import ClusteringConfig, SinkhornConfig
from deepstdp.errors import UserError
from tests.clustering.samples import blobs, parts
from tests.helpers import in_processes


class Halves:
    """A user's clusterer."""

    persistent = True

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset

    def fit_predict(self, features):
        return (np.arange(len(features)) % 2) + self.offset


def test_own_and_scikit_learns_clusterers():
    x, y = blobs()
    config = ClusteringConfig(
        n_clusters=5,
        class_path="sklearn.cluster.KMeans",
        init_args={"n_clusters": 5, "n_init": 1, "random_state": 0},
    )
    theirs = build_clusterer(config, 0)
    assert normalized_mutual_info_score(y, theirs.fit_predict(x).labels.numpy()) > 0.8
    assert theirs.can_predict
    assert not theirs.persistent
    own = build_clusterer(ClusteringConfig(n_clusters=2), 0, custom=Halves())
    assert own.fit_predict(x).labels[:4].tolist() == [0, 1, 0, 1]
    assert own.persistent
    with pytest.raises(UserError, match="no predict"):
        own.predict(x)


def test_wrong_labels_of_an_own_clusterer():
    x, _ = blobs()
    path = "tests.clustering.test_custom.Halves"
    config = ClusteringConfig(n_clusters=2, class_path=path, init_args={"offset": 1})
    with pytest.raises(UserError, match=r"labels 1 to 2.*between 0 and 1"):
        build_clusterer(config, 0).fit_predict(x)
    with pytest.raises(UserError, match="no method fit_predict"):
        build_clusterer(config, 0, custom=object())


class Remembers(Clusterer):
    """A user's clusterer of the library's own kind: tensors in, a state to save."""

    persistent = True

    def __init__(self) -> None:
        self.seen = torch.zeros(1)

    def fit_predict(self, features):
        self.seen = features.mean().reshape(1)
        return Assignment((features[:, 0] > 0).long(), 2)

    def predict(self, features):
        return Assignment((features[:, 0] > self.seen).long(), 2)

    def retest(self, features):
        return self.predict(features)

    def state(self):
        return {"seen": self.seen}

    def load_state(self, state):
        self.seen = state["seen"]


def test_an_own_clusterer_with_a_state_is_saved_and_predicts():
    x, _ = blobs()
    first, second = (
        build_clusterer(ClusteringConfig(n_clusters=2), 0, custom=Remembers()) for _ in range(2)
    )
    first.fit_predict(x)
    second.load_state(first.state())
    assert torch.equal(first.predict(x).labels, second.predict(x).labels)
    assert torch.equal(first.retest(x).labels, first.predict(x).labels)


def test_a_clusterer_that_is_given_goes_on_with_its_queue_in_any_number_of_processes():
    x, _ = blobs()
    config = ClusteringConfig(n_clusters=5)

    def given(group):
        return build_clusterer(
            config, 0, custom=Sinkhorn(5, 0, SinkhornConfig(queue=300)), group=group
        )

    def learn(group):
        clusterer, own = given(group), parts(x, group)
        clusterer.fit_predict(own)
        for batch in own[:60].split(20):
            clusterer.targets(batch)
        return clusterer.state(), _rows_of_all(clusterer, group), clusterer.targets(own[60:80])

    def go_on(group, state, rows):
        clusterer = given(group)
        clusterer.load_state(state)
        clusterer.load_own_rows(_own_rows(rows, group))
        if group.size == 1:
            return torch.cat([x[60:80], x[260:280]]), clusterer
        return clusterer.targets(parts(x, group)[60:80]), clusterer

    (state, rows, first), (_, _, second) = in_processes(2, learn)
    assert rows["queue.counts"].tolist() == [120, 0]
    again = in_processes(2, lambda group: go_on(group, state, rows)[0])
    assert torch.equal(torch.cat(again), torch.cat([first, second]))
    ((batch, alone),) = in_processes(1, lambda group: go_on(group, state, rows))
    assert torch.equal(alone.targets(batch), torch.cat([first, second]))


class Fails:
    def fit_predict(self, features):
        raise ZeroDivisionError("by zero")


class Fractions:
    def fit_predict(self, features):
        return np.full(len(features), 0.5)


def test_failures_of_an_own_clusterer_are_named():
    x, _ = blobs()
    for own, message in [(Fails(), r"Fails.fit_predict failed: by zero"), (Fractions(), "whole")]:
        with pytest.raises(UserError, match=message):
            build_clusterer(ClusteringConfig(n_clusters=2), 0, custom=own).fit_predict(x)


def test_one_process_clusters_for_all_with_a_clusterer_of_the_users():
    x, _ = blobs()

    def work(group):
        clusterer = build_clusterer(
            ClusteringConfig(n_clusters=5), 0, custom=KMeans(5, random_state=0), group=group
        )
        return clusterer.fit_predict(parts(x, group)).labels

    expected = KMeans(5, random_state=0).fit_predict(x.numpy())
    assert torch.cat(in_processes(2, work)).tolist() == expected.tolist()
