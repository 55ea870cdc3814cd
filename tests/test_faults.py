"""The short form of the campaign of ``benchmarks/faults``: a fault or two of every kind."""

import numpy as np
import pytest

from benchmarks.faults.injector import Injector
from benchmarks.faults.kinds import KINDS, full_disk, may_mount, rank
from benchmarks.faults.runs import bytes_lost


@pytest.fixture(scope="module")
def injector(tmp_path_factory) -> Injector:
    return Injector(tmp_path_factory.mktemp("faults"), np.random.default_rng())


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_run_survives(injector, name, tmp_path):
    kind = KINDS[name]
    if kind is full_disk and not may_mount(tmp_path):
        pytest.skip("this user may not mount a small disk")
    n = 2 if kind is rank else 1
    count = kind(injector, n)
    assert (count.injected, count.recovered, count.failures) == (n, n, [])


def test_what_is_lost_is_counted():
    whole = {"a": b"abcd", "b": b"xy"}
    assert bytes_lost(whole, whole) == 0
    assert bytes_lost(whole, {"a": b"abXd"}) == 1 + 2
    assert bytes_lost(whole, {**whole, "c.tmp": b"123"}) == 3
