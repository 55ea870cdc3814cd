import pytest
import torch

from deepstdp.training.dropout import dropout_mask


def test_share_and_mean():
    mask = dropout_mask(torch.arange(400), 100, 0.25, seed=0, epoch=1)
    assert (mask == 0).double().mean() == pytest.approx(0.25, abs=0.01)
    assert mask.mean() == pytest.approx(1, abs=0.02)


def test_a_sample_keeps_its_mask_wherever_it_stands():
    keys = torch.arange(6)
    whole = dropout_mask(keys, 10, 0.5, 0, 1)
    order = torch.tensor([3, 0, 5])
    assert torch.equal(dropout_mask(keys[order], 10, 0.5, 0, 1), whole[order])
    assert not torch.equal(whole, dropout_mask(keys, 10, 0.5, 0, 2))


def test_the_epoch_may_be_a_tensor():
    keys = torch.arange(6)
    now = torch.tensor(3)
    assert torch.equal(dropout_mask(keys, 10, 0.5, 0, now), dropout_mask(keys, 10, 0.5, 0, 3))
