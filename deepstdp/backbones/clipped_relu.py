"""A ReLU of a few levels: what an integrate-and-fire neuron can say in a few steps."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

INITIAL_CEILING = 2.0
"""Of activations whose standard deviation is about 1 at first."""

_LOWEST_CEILING = 1e-3


def clipped(
    x: Float[Tensor, "..."], ceiling: Float[Tensor, ""] | float, levels: int
) -> Float[Tensor, "..."]:
    """Clip and round: y = c / L clip(floor(L x / c + 1/2), 0, L), of ceiling c and L levels.

    So many spikes a soft-reset neuron with threshold c makes in L steps from half its threshold on
    (Bu et al. 2022, arXiv 2303.04347, eq. 14). The gradient of x is that of clip(x, 0, c); of c it
    is the rounding error in units of c, and 1 above the ceiling.
    """
    share = (x / ceiling).clamp(0, 1)
    rounding = (levels * share + 0.5).floor() / levels - share
    return ceiling * (share + rounding.detach())


class ClippedReLU(nn.Module):
    """``clipped`` with a ceiling that is learnt.

    Args:
        levels: L.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.ceiling = nn.Parameter(torch.tensor(INITIAL_CEILING))

    @property
    def bounded_ceiling(self) -> Float[Tensor, ""]:
        """The ceiling, kept above zero."""
        return self.ceiling.clamp(min=_LOWEST_CEILING)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Activations."""
        return clipped(x, self.bounded_ceiling, self.levels)

    def extra_repr(self) -> str:
        """For ``print``."""
        return f"levels={self.levels}"
