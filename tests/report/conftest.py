"""Runs to report on, of images whose class has a name that is none of the page's business."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from deepstdp import run_experiment
from tests.small_runs import small

NASTY = '<script>alert("x")</script> & $\\frac{ </script> "\'}}'


@pytest.fixture(scope="session")
def nasty_digits(few_digits):
    names = [NASTY, *few_digits.class_names[1:]]
    return replace(few_digits, class_names=names)


@contextmanager
def three_layers():
    """Networks of three layers, for fixtures of a session."""
    with pytest.MonkeyPatch.context() as patch:
        plan = ((8,), (16,), (24,))
        patch.setattr("deepstdp.backbones.network._BUILT_IN", {"vgg-small": (plan, None)})
        yield


@pytest.fixture(scope="session")
def runs(nasty_digits, tmp_path_factory):
    """STDP and k-means with two seeds each, and the untrained network; its folder is nasty too."""
    out = tmp_path_factory.mktemp("out")
    with three_layers():
        found = []
        for folder, method in (("stdp", "stdp"), ("kmeans", "kmeans"), ("<b>un&", "none")):
            for seed in (0, 1):
                path = out / folder / f"seed-{seed}"
                config = replace(small(method, seed, epochs=2), accelerator="cpu")
                found.append(run_experiment(config, path, dataset=nasty_digits))
    return found
