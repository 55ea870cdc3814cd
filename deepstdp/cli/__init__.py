"""The command line: parses, calls, prints. No logic of its own."""

import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

from deepstdp.cli.commands import COMMANDS
from deepstdp.errors import UserError, printable
from deepstdp.interruption import (
    EXIT_CODE,
    TERMINATED,
    Interrupted,
    terminated_like_interrupted,
)
from deepstdp.launched import is_first_process


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code: 0; 1 if what was checked is wrong, or a trial failed; 2 for what the user can
        mend; 75 if it was told to stop and can go on; 130 or 143 if it was told to stop by SIGINT
        or SIGTERM where nothing is kept.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with terminated_like_interrupted():
            return _dispatch(arguments)
    except UserError as error:
        if is_first_process() or not error.is_shared:
            print(f"deepstdp: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads has seen enough, as head has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        print(f"deepstdp: error: {printable(what + str(error.strerror or error))}", file=sys.stderr)
        return 2
    except Interrupted as error:
        if is_first_process():
            print(f"deepstdp: {error}", file=sys.stderr)
        return EXIT_CODE
    except KeyboardInterrupt as error:
        print("deepstdp: interrupted", file=sys.stderr)
        return 128 + (signal.SIGTERM if TERMINATED in error.args else signal.SIGINT)


def _dispatch(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] == "--version":
        print(f"deepstdp {version('deepstdp')}")
        return 0
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise UserError(
            f"unknown command '{name}': there are {', '.join(COMMANDS)}; deepstdp --help explains"
        )
    command = COMMANDS[name]
    if not {"-h", "--help"}.isdisjoint(rest):
        from deepstdp.cli.help import help_screen, topic_of  # with PyTorch, as the commands

        print(help_screen(command.parser(), topic_of(rest)))
        return 0
    return command(rest)


def _overview() -> str:
    lines = ["usage: deepstdp COMMAND [options]", "", "commands:"]
    lines += [f"  {name:<10} {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [*lines, "", "deepstdp COMMAND --help shows its options, deepstdp --version the version."]
    )
