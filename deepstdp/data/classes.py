"""Which classes of a labelled source are used (``--data.classes``)."""

import difflib
import re
from collections.abc import Sequence

from deepstdp.errors import UserError


def select_classes(available: list[str], wanted: str | Sequence[str | int]) -> list[str]:
    """Class names to use, in naming order (numbers by their value).

    Args:
        available: names the source has.
        wanted: ``all``, ``first-N``, or names (a list, or one string with commas).

    Raises:
        UserError: an unknown class, or fewer than two in all.
    """
    numbers = all(name.isdecimal() for name in available)

    def place(name: str) -> tuple[int, str]:
        return (int(name) if numbers else 0, name)

    ordered = sorted(available, key=place)
    if wanted == "all":
        chosen = ordered
    elif isinstance(wanted, str) and (match := re.fullmatch(r"first-(\d{1,9})", wanted)):
        count = int(match[1])
        if count > len(ordered):
            raise UserError(f"data.classes is {wanted}, but there are only {len(ordered)} classes")
        chosen = ordered[:count]
    else:
        given = wanted.split(",") if isinstance(wanted, str) else wanted
        names = [str(name).strip() for name in given]
        for name in names:
            if name not in ordered:
                near = difflib.get_close_matches(name, ordered, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"there are {_few(ordered)}"
                raise UserError(f"data.classes: there is no class '{name}'; {hint}")
        chosen = sorted(set(names), key=place)
    if len(chosen) < 2:
        raise UserError(
            f"only {len(chosen)} class selected ({_few(chosen)}): evaluation needs two or more; "
            "give unlabelled images as a flat folder"
        )
    return chosen


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
