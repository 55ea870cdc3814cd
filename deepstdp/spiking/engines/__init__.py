"""Engines present samples to the spiking layer; they differ in speed, not in what they compute."""

from importlib.util import find_spec

import torch

from deepstdp.errors import UserError
from deepstdp.spiking.engines.base import Circuit, Engine, Response, Sums
from deepstdp.spiking.engines.reference import ReferenceEngine

NAMES = ("reference", "cpu", "cuda")

__all__ = ["NAMES", "Circuit", "Engine", "Response", "Sums", "make_engine"]


def make_engine(name: str, device: torch.device, fixed_point: bool) -> Engine:
    """The engine called ``name``; ``auto`` takes the fastest for the device and arithmetic.

    Raises:
        UserError: an engine that the device or the arithmetic cannot have.
    """
    if name == "auto":
        name = _fastest(device) if fixed_point else "reference"
    # Compiled parts load when used.
    if name == "cpu":
        if device.type != "cpu":
            raise UserError(f"engine cpu needs data on the CPU, these are on {device}")
        from deepstdp.spiking.engines.cpu import CPUEngine

        return CPUEngine()
    if name == "cuda":
        if not _has_triton():
            raise UserError("engine cuda needs Triton: pip install triton")
        from deepstdp.spiking.engines import cuda

        if device.type != "cuda" and not cuda.interpreted():
            raise UserError(f"engine cuda needs data on a CUDA device, these are on {device}")
        return cuda.CUDAEngine()
    return ReferenceEngine()


def _fastest(device: torch.device) -> str:
    if device.type == "cuda" and _has_triton():
        return "cuda"
    return "cpu" if device.type == "cpu" else "reference"


def _has_triton() -> bool:
    return find_spec("triton") is not None
