"""Deep unsupervised learning with spike-timing-dependent plasticity."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepstdp.api import Result, train
    from deepstdp.clustering import STDPClustering
    from deepstdp.config import Config
    from deepstdp.errors import UserError
    from deepstdp.model import load, load_model
    from deepstdp.runner import run_experiment

__all__ = [
    "Config",
    "Result",
    "STDPClustering",
    "UserError",
    "load",
    "load_model",
    "run_experiment",
    "train",
]

_HOMES = {
    "Config": "config",
    "Result": "api",
    "STDPClustering": "clustering",
    "UserError": "errors",
    "load": "model",
    "load_model": "model",
    "run_experiment": "runner",
    "train": "api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562): what it needs takes seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
