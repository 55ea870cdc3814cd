"""What a run ran on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

_RELEVANT = (
    "deepstdp",
    "torch",
    "lightning-fabric",
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "kornia",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape the numbers."""
    return {"python": platform.python_version()} | {name: version(name) for name in _RELEVANT}


def hardware(device: torch.device) -> dict[str, str | int]:
    """Device, processor and threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": device.type,
        "name": name,
        "n_cores": os.cpu_count() or 1,
        "n_threads": torch.get_num_threads(),
        "platform": platform.platform(),
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open() as lines:
            models = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
            return next(models, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()
