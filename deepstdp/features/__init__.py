"""From images to the reduced features that are clustered."""

from deepstdp.features.extraction import extract, held_rows, mapped
from deepstdp.features.reduction import Reducer

__all__ = ["Reducer", "extract", "held_rows", "mapped"]
