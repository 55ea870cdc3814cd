"""One screen of help for each command; its settings, section by section, on request."""

import re
import shutil
import textwrap
from argparse import SUPPRESS, Action
from collections.abc import Iterator, Sequence

from jsonargparse import ArgumentParser

from deepstdp.config_files.wording import choices_of
from deepstdp.errors import UserError

OFTEN = (
    "--data.source",
    "--data.image_size",
    "--clustering.method",
    "--clustering.n_clusters",
    "--training.epochs",
)
"""Settings of an experiment that are worth the first screen."""

EVERYTHING = "all"

_MACHINE = "machine"
_MACHINE_SETTINGS = ("accelerator", "devices", "num_nodes", "precision", "compile")

_FEW = 4
"""Settings that need no section of their own."""

_NAME_WIDTH, _MOST_WIDTH = 26, 100


def topic_of(arguments: Sequence[str]) -> str:
    """The section that help is asked for, which stands behind ``--help``; empty for none."""
    at = next(i for i, argument in enumerate(arguments) if argument in ("-h", "--help"))
    behind = arguments[at + 1 : at + 2]
    return behind[0] if behind and not behind[0].startswith("-") else ""


def help_screen(parser: ArgumentParser, topic: str = "") -> str:
    """Usage, example and options.

    Args:
        parser: of a command, with the example in its ``epilog``.
        topic: a section of settings, such as ``data``; or ``all`` of them.

    Raises:
        UserError: there is no such section.
    """
    sections = {name: part for name, part in sections_of(parser).items() if len(part) > _FEW}
    if sections and topic and topic not in (EVERYTHING, *sections):
        known = ", ".join((*sections, EVERYTHING))
        raise UserError(f"{parser.prog} --help {topic}: no such section, there are {known}")
    if sections and topic:
        shown = [a for name, part in sections.items() if topic in (EVERYTHING, name) for a in part]
        return "\n".join(_lines(shown, whole=True))
    plain = [a for a in parser._actions if _is_shown(a) and _section(a) not in sections]
    lines = [f"usage: {_usage(parser, plain)}", "", str(parser.description), ""]
    lines += ["example:", *textwrap.indent(str(parser.epilog), "  ").splitlines(), ""]
    often = [action for part in sections.values() for action in part if _name(action) in OFTEN]
    lines += _lines([*plain, *often], whole=False)
    if sections:
        counts = ", ".join(f"{name} ({len(part)})" for name, part in sections.items())
        said = f"All settings by section: {counts}. {parser.prog} --help SECTION explains them."
        lines += ["", *textwrap.wrap(said, _width())]
    return "\n".join(lines)


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _MOST_WIDTH)


def _is_shown(action: Action) -> bool:
    """Not help itself, nor a file for a section of settings."""
    return action.help != SUPPRESS and action.metavar != "CONFIG" and action.dest != "help"


def sections_of(parser: ArgumentParser) -> dict[str, list[Action]]:
    """Settings of the experiment by section: the first part of a dotted name."""
    sections: dict[str, list[Action]] = {}
    for action in parser._actions:
        if (section := _section(action)) and _is_shown(action):
            sections.setdefault(section, []).append(action)
    return sections


def _section(action: Action) -> str:
    """Of a setting of the experiment; empty for other options."""
    section, dot, _ = _name(action).lstrip("-").partition(".")
    if dot:
        return section
    return _MACHINE if section in _MACHINE_SETTINGS else ""


def _name(action: Action) -> str:
    """The first long spelling of an option; an argument's own name."""
    long = (option for option in action.option_strings if option.startswith("--"))
    return next(long, action.dest)


def _usage(parser: ArgumentParser, plain: Sequence[Action]) -> str:
    given = [action for action in plain if not action.option_strings]
    words = [f"{a.dest.upper()}{' ...' if a.nargs == '+' else ''}" for a in given]
    return " ".join([parser.prog, *words, "[options]"])


def _lines(actions: Sequence[Action], whole: bool) -> Iterator[str]:
    """Names on the left, what they do on the right."""
    for action in actions:
        name = _name(action) if action.option_strings else action.dest.upper()
        left = f"  {name}".ljust(_NAME_WIDTH)
        right = textwrap.wrap(_said(action, whole), _width() - _NAME_WIDTH) or [""]
        if len(left) >= _NAME_WIDTH and not left.endswith(" "):
            yield left
            left = " " * _NAME_WIDTH
        yield left + right[0]
        yield from (" " * _NAME_WIDTH + line for line in right[1:])


def _said(action: Action, whole: bool) -> str:
    """What the help says (its first clause, or all), the choices and the default."""
    said = " ".join((action.help or "").replace("``", "").replace("%%", "%").split())
    if not whole:
        said = re.split(r"[;.] |(?<!default): |\.$", said)[0]
    notes = ["required"] if action.required and action.option_strings else []
    if choices := choices_of(getattr(action, "_typehint", None)):
        notes.append(", ".join(choices))
    is_told = any(action.default is known for known in (None, SUPPRESS, False))
    if not is_told and "default" not in said:
        notes.append(f"default {action.default}")
    return said + (f" ({'; '.join(notes)})" if notes else "")
