import pytest

from deepstdp.config import TrainingConfig
from deepstdp.training.schedule import learning_rate


def rates(*progress, **settings):
    config = TrainingConfig(learning_rate=0.8, epochs=10, **settings)
    return [learning_rate(config, at) for at in progress]


def test_a_constant_rate_is_constant():
    assert rates(0, 0.5, 10) == [0.8] * 3


def test_the_cosine_by_hand():
    assert rates(0, 5, 10, schedule="cosine") == pytest.approx([0.8, 0.4, 0])
    # Half a cosine from epoch 2 to 10, after a straight rise.
    expected = [0.4, 0.8, 0.4, 0, 0]
    assert rates(1, 2, 6, 10, 11, schedule="cosine", warmup_epochs=2.0) == pytest.approx(expected)


def test_a_warmup_alone():
    assert rates(0, 1, 4, 9, warmup_epochs=4.0) == pytest.approx([0, 0.2, 0.8, 0.8])
