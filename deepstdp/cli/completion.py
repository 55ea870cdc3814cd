"""``deepstdp completion``: what makes a shell complete commands, options and files."""

from collections.abc import Sequence
from typing import Literal

from jsonargparse import ArgumentParser

from deepstdp.cli.commands import COMMANDS
from deepstdp.cli.options import command_parser
from deepstdp.config_files import parse
from deepstdp.imports import require_extra

Shell = Literal["bash", "zsh", "tcsh"]


def completion_parser() -> ArgumentParser:
    """Options of ``deepstdp completion``."""
    parser = command_parser(
        "completion", "bash > ~/.local/share/bash-completion/completions/deepstdp"
    )
    parser.add_argument("shell", type=Shell, help="bash, zsh or tcsh")
    return parser


def completion(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp completion``."""
    args = parse(parser, arguments)
    shtab = require_extra("shtab", "deepstdp completion", "completion")
    whole = ArgumentParser(prog="deepstdp")
    subcommands = whole.add_subcommands()
    for name, command in COMMANDS.items():
        options = command.parser()
        for action in options._actions:
            if action.nargs != 0 and not action.choices:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        subcommands.add_subcommand(name, options)
    print(shtab.complete(whole, args.shell))
