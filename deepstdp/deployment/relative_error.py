"""How far what a spiking network tells is from what it should tell."""

from torch import Tensor


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """||found - wanted|| / ||wanted||, of two tensors of one shape."""
    return ((found - wanted).norm() / wanted.norm().clamp(min=1e-30)).item()
