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


if not TYPE_CHECKING:  # to which any name would be one otherwise

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used (PEP 562): what it needs takes seconds."""
        if name in _HOMES:
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        if name in _HOMES.values():
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*__all__, *_HOMES.values()})
