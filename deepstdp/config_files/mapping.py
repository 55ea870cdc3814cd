"""YAML files that people write: settings, and nothing that could hurt who reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deepstdp.errors import UserError, one_line
from deepstdp.files import require_file

_MOST_BYTES = 2**18
_DEEPEST = 20


def read_mapping(path: Path, what: str = "config") -> Mapping[str, Any]:
    """What a file says; nothing, if it is empty.

    Args:
        path: the file.
        what: what to call it in errors.

    Raises:
        UserError: no such file, no YAML, no mapping with text for its keys, or YAML that is larger
            or deeper than settings are, or that repeats its parts by aliases.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read ({error.strerror})") from None
    if len(content) > _MOST_BYTES:
        raise UserError(f"{what} {path} is larger than {_MOST_BYTES // 1024} KiB: no settings are")
    try:
        text = content.decode()
        _check_events(text)
        found = yaml.safe_load(text)
    # A date of 99 months, or a number of 5,000 digits, is a ValueError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{what} {path} is not YAML ({one_line(str(error))})") from None
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise UserError(f"{what} {path} must hold 'key: value' settings")
    return found


def _check_events(text: str) -> None:
    """Refuse what grows as it is read, before it does."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed: write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"nested more than {_DEEPEST} levels deep")
