"""What jsonargparse says of a wrong command line or file, in words that name the option."""

import difflib
import re
from argparse import Action
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import ArgumentParser

from deepstdp.errors import one_line

_UNIONS = (Union, UnionType)
_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}


def reworded(said: str, parser: ArgumentParser) -> str:
    """An error of ``parser`` as one line: which option, what it got, what it takes."""
    said = one_line(said)
    if found := re.search(r"arguments are required: (.*)", said):
        names = [_shown(parser, dest) for dest in found[1].split(", ")]
        return f"missing {' and '.join(names)}: {parser.prog} --help has an example"
    if found := re.search(r"unrecognized arguments: (.*)", said, re.IGNORECASE):
        return f"unexpected {found[1]}: settings have names, see {parser.prog} --help"
    key = re.match(r'Parser key "([\w.]+)": (?:Expected a|Does not validate)', said)
    value = re.search(r"(?:Got|Given) value: (.*)", said)
    if key and value and (action := _action(parser, key[1])) is not None:
        kind, got = getattr(action, "_typehint", None), value[1].strip()
        near = difflib.get_close_matches(got, choices_of(kind), n=1)
        return f"{key[1]} takes {_expected(kind)}, not {got}{hint(near)}"
    return said


def choices_of(kind: Any) -> list[str]:
    """The words that an option takes, others than words left out."""
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    if get_origin(kind) in _UNIONS:
        return [choice for part in get_args(kind) for choice in choices_of(part)]
    return []


def _expected(kind: Any) -> str:
    if get_origin(kind) in _UNIONS:
        return " or ".join(_expected(part) for part in get_args(kind))
    if choices := choices_of(kind):
        return ", ".join(choices[:-1]) + " or " * (len(choices) > 1) + choices[-1]
    return _WORDS.get(kind) or f"a {getattr(get_origin(kind) or kind, '__name__', 'value')}"


def hint(near: Sequence[str]) -> str:
    """What was meant, if something is near."""
    return f"; did you mean {near[0]}?" if near else ""


def _action(parser: ArgumentParser, dest: str) -> Action | None:
    return next((action for action in parser._actions if action.dest == dest), None)


def _shown(parser: ArgumentParser, dest: str) -> str:
    """An option with its dashes; an argument in capitals, as help has it."""
    action = _action(parser, dest)
    return f"--{dest}" if action is not None and action.option_strings else dest.upper()
