"""From images to the reduced features that are clustered."""

from deepstdp.features.extraction import extract
from deepstdp.features.reduction import Reducer

__all__ = ["Reducer", "extract"]
