"""Runs that are broken off, and what they must be once they have gone on."""

from collections.abc import Callable

import pytest

from deepstdp.runner import run_experiment
from deepstdp.training.epoch import Trainer
from tests.small_runs import learnt, small, weights

STEPS = 5  # of an epoch: 300 images in batches of 64


class Killed(Exception):
    """Stands for a kill."""


class BeforeStep:
    """Makes something happen before the n-th step of a run, until ``clear``."""

    def __init__(self) -> None:
        self._patch = pytest.MonkeyPatch()

    def __call__(self, n: int, action: Callable[[], None]) -> None:
        step, count = Trainer._step, iter(range(1, 10_000))

        def watched(trainer, *args):
            if next(count) == n:
                action()
            return step(trainer, *args)

        self._patch.setattr(Trainer, "_step", watched)

    def clear(self) -> None:
        self._patch.undo()


def kill() -> None:
    raise Killed


def equal(run, other) -> None:
    assert weights(run) == weights(other)
    assert learnt(run) == learnt(other)
    for name in ("labels.csv", "clustering.safetensors"):
        assert (run.path / name).read_bytes() == (other.path / name).read_bytes()
    for name in ("final", "untrained", "correct", "correct_untrained"):
        assert run.summary()[name] == other.summary()[name]


def broken_off(path, few_digits, before_step, **recipe):
    """A run that was killed in its last epoch."""
    config = small(checkpoint_minutes=0.0, **recipe)
    before_step(2 * STEPS + 4, kill)
    with pytest.raises(Killed):
        run_experiment(config, path, dataset=few_digits)
    before_step.clear()
    return config
