from dataclasses import replace

import torch

from deepstdp.config import AugmentationConfig, Config, TrainingConfig
from deepstdp.data.augment import augment
from deepstdp.training.views import ASSIGNED, make_view, make_views

IMAGES = torch.randint(0, 256, (6, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(
    torch.uint8
)
KEYS = torch.arange(6)


def config(**training) -> Config:
    augmentation = AugmentationConfig(crop_scale=(0.5, 0.5), small_crop_scale=(0.1, 0.1))
    return Config(augmentation=augmentation, training=TrainingConfig(**training))


def test_one_view_is_what_there_always_was():
    one = config()
    assert torch.equal(
        make_views(IMAGES, KEYS, 3, one), augment(IMAGES, KEYS, 0, 3, one.augmentation)
    )


def test_views_differ_from_each_other_and_from_what_is_assigned():
    two = config(views=2)
    first, second = make_views(IMAGES, KEYS, 3, two).split(6)
    assigned = make_view(IMAGES, KEYS, 3, ASSIGNED, two)
    for a, b in ((first, second), (first, assigned), (second, assigned)):
        assert not torch.equal(a, b)
    assert torch.equal(first, make_views(IMAGES, KEYS, 3, config()))


def test_small_views_come_last_and_are_small():
    mixed = config(views=1, small_views=2)
    views = make_views(IMAGES, KEYS, 3, mixed).split(6)
    assert len(views) == 3
    assert torch.equal(views[0], make_views(IMAGES, KEYS, 3, config()))
    alike = replace(mixed.augmentation, crop_scale=(0.1, 0.1))
    small = replace(config(views=3), augmentation=alike)
    assert torch.equal(torch.cat(views[1:]), make_views(IMAGES, KEYS, 3, small)[6:])


def test_the_assigned_view_has_a_strength_of_its_own():
    strong = AugmentationConfig(
        crop_scale=(0.2, 0.2), hue=0.5, assigned_crop_scale=(1.0, 1.0), assigned_colour=0.0
    )
    shown = Config(augmentation=replace(strong, crop_ratio=(1.0, 1.0)))
    assert torch.allclose(make_view(IMAGES, KEYS, 3, ASSIGNED, shown), IMAGES / 255, atol=1e-5)
    alike = replace(shown.augmentation, assigned_crop_scale=(0.2, 0.2), assigned_colour=1.0)
    weak = replace(shown, augmentation=alike)
    keys = KEYS | (ASSIGNED << 48)
    expected = augment(IMAGES, keys, 0, 3, shown.augmentation)
    assert torch.equal(make_view(IMAGES, KEYS, 3, ASSIGNED, weak), expected)
