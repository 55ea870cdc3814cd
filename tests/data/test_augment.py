import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstdp.config import AugmentationConfig
from deepstdp.data.augment import _crop_matrix, augment

NOTHING = AugmentationConfig(crop_scale=(1, 1), crop_ratio=(1, 1), brightness=0, contrast=0)
STRONG = AugmentationConfig(
    crop_scale=(0.2, 1), flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1,
    grayscale=0.2,
)  # fmt: skip


def images(n=12, channels=3, size=8):
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (n, channels, size, size), dtype=np.uint8)
    )


def test_without_strength_nothing_changes():
    batch = images()
    result = augment(batch, torch.arange(12), 0, 0, NOTHING)
    assert torch.allclose(result, batch / 255, atol=1e-5)


def test_a_certain_flip_mirrors():
    config = AugmentationConfig(
        crop_scale=(1, 1), crop_ratio=(1, 1), brightness=0, contrast=0, flip=1.0
    )
    batch = images()
    result = augment(batch, torch.arange(12), 0, 0, config)
    assert torch.allclose(result, batch.flip(-1) / 255, atol=1e-5)


def test_a_quarter_crop_is_that_quarter_enlarged():
    # A 4x4 crop at the left top of 8x8: by hand, x' = 2x + 0.5, so that x = -0.5 stays there.
    one = torch.ones(1)
    config = AugmentationConfig(crop_scale=(0.25, 0.25), crop_ratio=(1, 1))
    matrix = _crop_matrix(0 * one, 0 * one, 0 * one, 0 * one, one, torch.Size([8, 8]), config)
    assert torch.allclose(matrix, torch.tensor([[[2, 0, 0.5], [0, 2, 0.5]]]))
    # A ramp from 0 to 1 over 8 columns, cut to 4 and enlarged, spans half of its range.
    ramp = torch.linspace(0, 252, 8).to(torch.uint8).expand(40, 1, 8, 8)
    plain = AugmentationConfig(crop_scale=(0.25, 0.25), crop_ratio=(1, 1), brightness=0, contrast=0)
    result = augment(ramp, torch.arange(40), 0, 0, plain)
    steps = result[..., 4] - result[..., 3]
    assert torch.allclose(steps, torch.full_like(steps, 36 / 255 / 2), atol=1e-4)
    starts = result[:, 0, 0, 0]
    assert starts.min() < 0.1
    assert starts.max() > 0.4


@settings(max_examples=20)
@given(st.permutations(range(12)), st.integers(1, 11))
def test_order_and_batch_split_change_nothing(order, cut):
    batch, keys = images(), torch.arange(100, 112)
    whole = augment(batch, keys, 3, 5, STRONG)
    order = torch.tensor(order)
    parts = [augment(batch[i], keys[i], 3, 5, STRONG) for i in (order[:cut], order[cut:])]
    assert torch.equal(torch.cat(parts), whole[order])


def test_results_are_images_and_renewed_each_epoch():
    batch, keys = images(), torch.arange(12)
    first, second = (augment(batch, keys, 0, epoch, STRONG) for epoch in (1, 2))
    assert first.min() >= 0
    assert first.max() <= 1
    assert not torch.allclose(first, second)


def test_gray_images_ignore_colour():
    result = augment(images(channels=1), torch.arange(12), 0, 0, STRONG)
    assert result.shape == (12, 1, 8, 8)


def test_grayscale_removes_colour():
    config = AugmentationConfig(grayscale=1.0)
    result = augment(images(), torch.arange(12), 0, 0, config)
    assert torch.allclose(result[:, 0], result[:, 2])
