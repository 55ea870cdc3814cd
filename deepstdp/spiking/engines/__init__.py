"""Engines present samples to the spiking layer; they differ in speed, not in what they compute."""

from deepstdp.spiking.engines.base import Engine, Response
from deepstdp.spiking.engines.reference import ReferenceEngine

ENGINES: dict[str, type[Engine]] = {"reference": ReferenceEngine}

__all__ = ["ENGINES", "Engine", "Response"]
