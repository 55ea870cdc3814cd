"""Checks that turn a wrong setting into one clear line."""

import math
from dataclasses import fields
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from deepstdp.errors import UserError


def require(condition: bool, message: str) -> None:
    """Raise a ``UserError`` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)


def require_types(part: Any, prefix: str) -> None:
    """Check the plain settings of a dataclass: choices, numbers (finite) and flags.

    A command line cannot get these wrong, Python can.
    """
    for field in fields(part):
        value = getattr(part, field.name)
        if not _fits(value, field.type):
            kind: Any = field.type
            wanted = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
            raise UserError(f"{prefix}{field.name} must be {wanted}, not {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{prefix}{field.name} must be finite, not {value}")


def _fits(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) is Literal:
        return isinstance(value, str) and value in get_args(wanted)
    if get_origin(wanted) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(wanted))
    if wanted in (int, float):
        kind = Integral if wanted is int else Real
        return isinstance(value, kind) and not isinstance(value, bool)
    return not isinstance(wanted, type) or isinstance(value, wanted)


def settle_custom(part: Any, kind: str, prefix: str) -> None:
    """A ``class_path`` means ``custom``, and ``custom`` needs one."""
    if part.class_path is not None:
        object.__setattr__(part, kind, "custom")
    elif getattr(part, kind) == "custom":
        raise UserError(f"{prefix}.{kind} custom needs {prefix}.class_path")
    elif part.init_args:
        raise UserError(f"{prefix}.init_args are for a {prefix}.class_path, which is not given")
