"""Deep unsupervised learning with spike-timing-dependent plasticity."""

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
