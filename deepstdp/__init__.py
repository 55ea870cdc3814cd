"""Deep unsupervised learning with spike-timing-dependent plasticity."""

from deepstdp.clustering import STDPClustering
from deepstdp.config import Config
from deepstdp.errors import UserError
from deepstdp.model import load, load_model
from deepstdp.runner import run_experiment

__all__ = ["Config", "STDPClustering", "UserError", "load", "load_model", "run_experiment"]
