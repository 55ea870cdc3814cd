"""The short form of the campaign of ``benchmarks/faults``: a fault or two of every kind.

One kind is always tried, the others with the slow tests.
"""

import signal
import time

import numpy as np
import pytest

from benchmarks.faults.injector import Injector
from benchmarks.faults.kinds import KINDS, TRAIN, full_disk, may_mount, rank
from benchmarks.faults.runs import bytes_lost, outcome


@pytest.fixture(scope="module")
def injector(tmp_path_factory) -> Injector:
    return Injector(tmp_path_factory.mktemp("faults"), np.random.default_rng())


FAST = ("killed (SIGKILL)",)


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in KINDS]
)
def test_a_run_survives(injector, name, tmp_path):
    kind = KINDS[name]
    if kind is full_disk and not may_mount(tmp_path):
        pytest.skip("this user may not mount a small disk")
    n = 2 if kind is rank else 1
    count = kind(injector, n)
    assert (count.injected, count.recovered, count.failures) == (n, n, [])


@pytest.mark.slow
def test_sigterm_ends_with_the_code_that_says_go_on(injector):
    run = injector.new(TRAIN)
    run.start({})
    deadline = time.monotonic() + 120
    while not list(run.path.glob("checkpoints/*.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.hit(signal.SIGTERM)
    ended = run.end()
    assert ended.code == 75
    assert "stopping after this step" in ended.errors
    assert "--resume goes on from" in ended.errors
    run.command.append("--resume")
    run.start({})
    assert run.end().code == 0
    assert bytes_lost(injector.expected(TRAIN), outcome(run.path)) == 0


def test_what_is_lost_is_counted():
    whole = {"a": b"abcd", "b": b"xy"}
    assert bytes_lost(whole, whole) == 0
    assert bytes_lost(whole, {"a": b"abXd"}) == 1 + 2
    assert bytes_lost(whole, {**whole, "c.tmp": b"123"}) == 3
