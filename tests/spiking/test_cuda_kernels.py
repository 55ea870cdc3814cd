"""The cuda engine's kernels for a real device; the interpreter accepts more than the compiler."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from deepstdp.config import STDPConfig
from deepstdp.spiking.layer import circuit
from tests.spiking.test_engines import assert_same, make_state, rate_input

pytest.importorskip("triton")

ROOT = Path(__file__).parents[2]


def test_the_kernels_compile_without_a_device(tmp_path):
    env = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-m", "tests.spiking.compile_kernels", "90"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    kernels = [line.split() for line in result.stdout.splitlines()]
    assert {name for name, _ in kernels} == {"draw", "sum_currents", "compete", "sum_traces"}
    assert {name for name, on_tensor_cores in kernels if on_tensor_cores == "True"} == {
        "sum_currents"
    }


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("inhibition", ["hard", "graded"])
@pytest.mark.parametrize(
    ("n", "p", "k", "n_timesteps"), [(512, 256, 200, 25), (32, 1024, 3000, 70)]
)
def test_compiled_kernels_agree_to_the_bit(n, p, k, n_timesteps, inhibition):
    config = STDPConfig(
        n_timesteps=n_timesteps, inhibition=inhibition, inhibition_strength=0.3, rule="pair"
    )
    neurons = circuit(make_state(k, 2 * p, p, 20.0), n_timesteps, config)
    response = assert_same("cuda", rate_input(n, p), neurons)
    assert response.counts.sum() > 0
