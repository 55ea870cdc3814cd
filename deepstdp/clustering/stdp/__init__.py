"""STDP clustering: the layer at work, the estimator, and the source of pseudo-labels."""

from deepstdp.clustering.stdp.estimator import STDPClustering
from deepstdp.clustering.stdp.pseudo_labels import STDPPseudoLabels

__all__ = ["STDPClustering", "STDPPseudoLabels"]
