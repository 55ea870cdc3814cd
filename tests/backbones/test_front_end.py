import torch

from deepstdp.backbones.front_end import Normalise, Sobel


def test_normalise_gives_zero_mean_and_unit_deviation():
    images = torch.randint(0, 256, (50, 3, 6, 6), dtype=torch.uint8)
    images[:, 2] = 77
    result = Normalise.fit(images)(images / 255)
    assert torch.allclose(result[:, :2].mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5)
    assert torch.allclose(result[:, :2].std(dim=(0, 2, 3)), torch.ones(2), atol=1e-2)
    assert torch.allclose(result[:, 2], torch.zeros(50, 6, 6), atol=1e-5)


def test_sobel_by_hand():
    # A vertical edge of height 1 in all channels: 4/4 at the two columns beside it.
    image = torch.zeros(1, 3, 5, 6)
    image[..., 3:] = 1
    horizontal, vertical = Sobel(3)(image)[0]
    assert torch.allclose(horizontal, torch.tensor([0.0, 0, 1, 1, 0, 0]).expand(5, 6))
    assert torch.allclose(vertical, torch.zeros(5, 6))


def test_sobel_is_blind_to_the_colour_of_a_flat_image():
    image = torch.rand(2, 3, 1, 1).expand(2, 3, 8, 8)
    assert torch.allclose(Sobel(3)(image), torch.zeros(2, 2, 8, 8), atol=1e-6)


def test_sobel_learns_nothing():
    assert list(Sobel(3).parameters()) == []
