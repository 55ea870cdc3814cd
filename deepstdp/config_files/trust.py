"""Code that files name: it is imported only if the user trusts them."""

from collections.abc import Mapping
from typing import Any

from deepstdp.config import Config
from deepstdp.errors import UserError

CODE = ("backbone.class_path", "clustering.class_path")
"""Settings that name code."""


def code_named(config: Config) -> dict[str, str]:
    """Which of these settings have a value."""
    values = {name: getattr(config, name.split(".")[0]).class_path for name in CODE}
    return {name: value for name, value in values.items() if value is not None}


def code_in(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the content of a config file."""
    values = {name: content.get(name.split(".")[0], {}).get("class_path") for name in CODE}
    return {name: value for name, value in values.items() if value is not None}


def check_trusted(where: object, named: Mapping[str, Any]) -> None:
    """Refuse to import what a file names.

    Args:
        where: the file.
        named: what it names, by setting.

    Raises:
        UserError: something.
    """
    for name, value in named.items():
        raise UserError(
            f"{where} has {name} {value}, code that would be run: give --trust_code "
            "(in Python, trust_code=True) if you trust it"
        )
