import pytest
import torch

from deepstdp.training.dropout import keyed_dropout


def test_share_and_mean():
    kept = keyed_dropout(torch.ones(400, 100), torch.arange(400), 0.25, seed=0, epoch=1)
    assert (kept == 0).double().mean() == pytest.approx(0.25, abs=0.01)
    assert kept.mean() == pytest.approx(1, abs=0.02)


def test_a_sample_keeps_its_mask_wherever_it_stands():
    x, keys = torch.ones(6, 10), torch.arange(6)
    whole = keyed_dropout(x, keys, 0.5, 0, 1)
    order = torch.tensor([3, 0, 5])
    assert torch.equal(keyed_dropout(x[order], keys[order], 0.5, 0, 1), whole[order])
    assert not torch.equal(whole, keyed_dropout(x, keys, 0.5, 0, 2))


def test_none():
    x = torch.rand(3, 4)
    assert keyed_dropout(x, torch.arange(3), 0.0, 0, 0) is x
