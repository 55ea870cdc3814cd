"""``deepstdp completion``: what makes a shell complete commands, options and files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from jsonargparse import ArgumentParser

from deepstdp.cli.options import command_parser
from deepstdp.config_files import parse
from deepstdp.imports import require_extra

Shell = Literal["bash", "zsh", "tcsh"]


def completion_parser() -> ArgumentParser:
    """Options of ``deepstdp completion``."""
    parser = command_parser(
        "completion",
        "Print a script that makes a shell complete commands, options and files.",
        "bash > ~/.local/share/bash-completion/completions/deepstdp",
    )
    parser.add_argument("shell", type=Shell, help="bash, zsh or tcsh")
    return parser


def completion(
    makers: Mapping[str, Callable[[], ArgumentParser]],
    parser: ArgumentParser,
    arguments: Sequence[str],
) -> None:
    """Run ``deepstdp completion`` for the commands of ``makers``."""
    args = parse(parser, arguments)
    shtab = require_extra("shtab", "deepstdp completion", "completion")
    whole = ArgumentParser(prog="deepstdp")
    commands = whole.add_subcommands()
    for name, make in makers.items():
        command = make()
        for action in command._actions:
            if action.nargs != 0 and not action.choices:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        commands.add_subcommand(name, command)
    print(shtab.complete(whole, args.shell))
