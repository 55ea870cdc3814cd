"""Checks that turn a wrong setting into one clear line."""

import math
from dataclasses import fields
from typing import Any

from deepstdp.errors import UserError


def require(condition: bool, message: str) -> None:
    """Raise a ``UserError`` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)


def require_finite(part: Any, prefix: str) -> None:
    """Refuse NaN and infinite settings of a dataclass."""
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{prefix}{field.name} must be finite, not {value}")


def settle_custom(part: Any, kind: str, prefix: str) -> None:
    """A ``class_path`` means ``custom``, and ``custom`` needs one."""
    if part.class_path is not None:
        object.__setattr__(part, kind, "custom")
    elif getattr(part, kind) == "custom":
        raise UserError(f"{prefix}.{kind} custom needs {prefix}.class_path")
    elif part.init_args:
        raise UserError(f"{prefix}.init_args are for a {prefix}.class_path, which is not given")
