import math

import pytest
import torch

from deepstdp.config import STDPConfig
from deepstdp.spiking.homeostasis import adapt

THETA = torch.tensor([0.0, -0.5, 0.2, 0.0])
WINS = torch.tensor([8.0, 0.0, 0.0, 0.0])
SPIKES = torch.tensor([20.0, 0.0, 2.0, 0.0])


def step(form: str, **settings) -> list[float]:
    config = STDPConfig(homeostasis=form, alpha=0.025, **settings)
    return adapt(THETA, WINS, SPIKES, 8, 2.0, config).tolist()


def test_dual_by_hand():
    # a = 0.05, K = 4, B = 8: theta + 0.05 (4 wins - 8)
    assert step("dual") == pytest.approx([1.2, -0.9, -0.2, -0.4])


def test_floor_by_hand():
    # a = 0.05, B/c = 2: theta + 0.05 (4 wins - 2), at most 0
    assert step("floor", floor_ratio=4.0) == pytest.approx([0.0, -0.6, 0.0, -0.1])


def test_relaxing_by_hand():
    # One sample: theta e^(-1/10) + 0.05 * 4 spikes
    config = STDPConfig(homeostasis="relaxing", alpha=0.025, tau_theta=10)
    result = adapt(THETA, WINS, SPIKES, 1, 2.0, config).tolist()
    kept = math.exp(-0.1)
    assert result == pytest.approx([4.0, -0.5 * kept, 0.2 * kept + 0.4, 0.0])


def test_relaxing_batches_compose():
    config = STDPConfig(homeostasis="relaxing", alpha=0.025, tau_theta=10)
    theta = THETA
    for _ in range(8):
        theta = adapt(theta, WINS / 8, SPIKES / 8, 1, 2.0, config)
    assert torch.allclose(theta, adapt(THETA, WINS, SPIKES, 8, 2.0, config), atol=1e-5)


def test_none_changes_nothing():
    assert step("none") == THETA.tolist()
