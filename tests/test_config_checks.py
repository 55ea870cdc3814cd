"""Settings made in Python, where nothing parses them."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from deepstdp.config.checks import require_types
from deepstdp.errors import UserError


@dataclass
class Part:
    """Some settings."""

    choice: Literal["a", "b"] = "a"
    count: int = 1
    rate: float = 0.5
    flag: bool = True
    gain: float | Literal["auto"] = "auto"
    size: int | None = None
    init_args: dict = field(default_factory=dict)


@pytest.mark.parametrize(
    "settings",
    [{}, {"count": np.int64(3)}, {"rate": 2}, {"gain": 0.1}, {"size": 4}, {"init_args": {"a": 1}}],
)
def test_what_fits(settings):
    require_types(Part(**settings), "part.")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"choice": "c"}, r"part.choice must be Literal\['a', 'b'\], not 'c'"),
        ({"count": 1.5}, "part.count must be int, not 1.5"),
        ({"count": True}, "part.count must be int"),
        ({"rate": "fast"}, "part.rate must be float"),
        ({"rate": float("nan")}, "part.rate must be finite"),
        ({"flag": 1}, "part.flag must be bool"),
        ({"gain": "high"}, "part.gain"),
        ({"gain": float("inf")}, "part.gain must be finite"),
        ({"size": 1.0}, "part.size"),
        ({"init_args": 3}, "part.init_args must be dict"),
    ],
)
def test_what_does_not(settings, message):
    with pytest.raises(UserError, match=message):
        require_types(Part(**settings), "part.")
