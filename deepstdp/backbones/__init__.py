"""Rate-based networks that can be deployed as spiking ones."""

from deepstdp.backbones.network import Network, build_network

__all__ = ["Network", "build_network"]
