"""Compile what the cuda engine launches, without a device: run by ``test_cuda_kernels``.

Triton asks its driver for the device and then specialises and compiles each launch; a driver that
names one is enough. ``python -m tests.spiking.compile_kernels 90`` prints each kernel's name, and
whether it multiplies on tensor cores.
"""

import sys

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from deepstdp.config import STDPConfig
from deepstdp.spiking.encoding import pack
from deepstdp.spiking.engines.cuda import CUDAEngine
from deepstdp.spiking.inputs import SpikeInput
from deepstdp.spiking.layer import circuit
from tests.spiking.test_engines import make_state, rate_input


class Device:
    """What Triton asks of a driver before it launches."""

    def __init__(self, capability):
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self):
        return self.target

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


def compile_only(self, *args, **kwargs):
    kernel = launch(self, *args, **{**kwargs, "warmup": True})
    print(self.fn.__name__, "mma" in kernel.asm["ptx"])


if __name__ == "__main__":
    launch, triton.JITFunction.run = triton.JITFunction.run, compile_only
    driver.set_active(Device(int(sys.argv[1])))
    # The sizes of real use, and the smallest, at which Triton takes ones for constants.
    for p, k, n_steps in [(256, 200, 25), (1, 1, 1)]:
        config = STDPConfig(n_timesteps=n_steps, rule="pair", inhibition="graded")
        neurons = circuit(make_state(k, 2 * p, p, 0.6), n_steps, config)
        CUDAEngine().present(rate_input(4, p), neurons, True)
    spikes = SpikeInput(pack(torch.ones(2, 70, 33)))
    neurons = circuit(make_state(10, 33, 33, 2.0), 70, STDPConfig(n_timesteps=70))
    CUDAEngine().present(spikes, neurons, True)
