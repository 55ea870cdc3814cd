import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.training.sampling import batches, epoch_order, occurrence_keys

# One cluster holds 56 % of the images.
LABELS = torch.from_numpy(
    np.random.default_rng(0)
    .permutation(np.r_[np.zeros(560), np.arange(440) % 11 + 1])
    .astype(np.int64)
)


def shares(sampler):
    order = epoch_order(LABELS, sampler, seed=0, epoch=1)
    assert len(order) == 1000
    return torch.bincount(LABELS[order], minlength=12).numpy() / 1000


def test_uniform_shows_each_cluster_equally():
    assert np.allclose(shares("uniform"), 1 / 12, atol=0.01)


def test_uniform_repeats_nobody_while_a_cluster_has_members_left():
    order = epoch_order(LABELS, "uniform", seed=0, epoch=1)
    quota = 1000 // 12 + 1
    drawn = order[LABELS[order] == 0]
    assert len(drawn) <= quota
    assert len(drawn.unique()) == len(drawn)


def test_uniform_reaches_every_member_in_time():
    seen = torch.cat([epoch_order(LABELS, "uniform", 0, epoch) for epoch in range(60)])
    counts = torch.bincount(seen, minlength=1000)[LABELS == 0].double()
    # 83 of 560 members an epoch, 60 times.
    assert counts.mean() == pytest.approx(60 * 1000 / 12 / 560, rel=0.02)
    assert (counts > 0).double().mean() > 0.99


def test_as_published_leaves_clusters_as_unequal_as_they_are():
    assert shares("as-published")[0] == pytest.approx(0.56, abs=0.05)


def test_shuffle_shows_each_image_once():
    assert sorted(epoch_order(LABELS, "shuffle", 0, 1).tolist()) == list(range(1000))


@pytest.mark.parametrize("sampler", ["uniform", "as-published", "shuffle"])
def test_order_is_a_function_of_seed_and_epoch(sampler):
    first = epoch_order(LABELS, sampler, 3, 4)
    assert torch.equal(first, epoch_order(LABELS, sampler, 3, 4))
    assert not torch.equal(first, epoch_order(LABELS, sampler, 3, 5))
    assert not torch.equal(first, epoch_order(LABELS, sampler, 2, 4))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=30).map(torch.tensor))
def test_every_sampler_yields_n_valid_indices(labels):
    for sampler in ("uniform", "as-published", "shuffle"):
        order = epoch_order(labels, sampler, 0, 0)
        assert len(order) == len(labels)
        assert ((order >= 0) & (order < len(labels))).all()


def test_occurrences_by_hand():
    keys = occurrence_keys(torch.tensor([5, 2, 5, 5, 2]))
    assert keys.tolist() == [5, 2, 5 + 2**32, 5 + 2 * 2**32, 2 + 2**32]


@given(st.integers(1, 200), st.integers(1, 20))
def test_batches_cover_everything_and_no_last_batch_is_of_one(n, size):
    rows = batches(n, size)
    assert [i for part in rows for i in range(part.start, part.stop)] == list(range(n))
    if n > 1 and size > 1:
        assert all(part.stop - part.start > 1 for part in rows)


def test_no_process_is_left_without_a_share():
    assert [rows.stop - rows.start for rows in batches(22, 10, smallest=3)] == [10, 12]
