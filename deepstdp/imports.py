"""What is imported only when it is asked for: classes of a config, optional packages."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepstdp.errors import UserError


def build(class_path: str, init_args: Mapping[str, Any]) -> Any:
    """Import ``package.module.Class`` and call it with ``init_args``.

    The current folder counts as a place to import from, as with ``python -m``.

    Raises:
        UserError: no such module or class, or it does not take these arguments.
    """
    module_name, _, class_name = class_path.rpartition(".")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        factory = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # importing runs the user's code, which may raise anything
        raise UserError(f"class_path {class_path} cannot be imported ({error})") from error
    try:
        return factory(**init_args)
    except Exception as error:
        raise UserError(
            f"class_path {class_path} does not take these init_args: {error}"
        ) from error


def require_extra(module: str, purpose: str, extra: str) -> Any:
    """A package that is installed on request only.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(f'{purpose} needs {module}: pip install "deepstdp[{extra}]"') from None
