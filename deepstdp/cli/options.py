"""What several commands share."""

from argparse import SUPPRESS
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from jsonargparse import ArgumentParser, Namespace

from deepstdp.config_files import TRUST_CODE
from deepstdp.errors import UserError
from deepstdp.run_dir import CONFIG, RunDir

T = TypeVar("T")

OnError = Literal["stop", "skip"]


def command_parser(name: str, example: str) -> ArgumentParser:
    """A parser for ``deepstdp NAME``, whose errors are exceptions."""
    prog = f"deepstdp {name}"
    return ArgumentParser(exit_on_error=False, prog=prog, epilog=f"{prog} {example}".strip())


def hide(parser: ArgumentParser, *names: str) -> None:
    """Leave options out of the help that the command sets itself, or refuses."""
    for name in names:
        parser._option_string_actions[name].help = SUPPRESS


def add_run(parser: ArgumentParser, name: str = "run", **kwargs: Any) -> None:
    """An argument for a run directory, and whether it is trusted."""
    parser.add_argument(name, **kwargs)
    parser.add_argument("--trust_code", action="store_true", help=TRUST_CODE)


def open_run(args: Namespace) -> RunDir:
    """The run directory that was given.

    Raises:
        UserError: it is none.
    """
    path = Path(args.run)
    inside = sorted(path.glob(f"*/seed-*/{CONFIG}"))
    if inside and not (path / CONFIG).exists():
        raise UserError(
            f"{path} holds the runs of a comparison: give one of them, such as {inside[0].parent}"
        )
    return RunDir.open(path, args.trust_code)


def add_other_data(parser: ArgumentParser) -> None:
    """Options for other images than the run's."""
    parser.add_argument("--data.source", type=str | None, help="other images (default: the run's)")
    parser.add_argument("--data.classes", type=str | list[str] | None, help="as in train")
    parser.add_argument("--data.on_error", type=OnError | None, help="as in train")


def other_data(args: Namespace) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in vars(args.data).items() if value is not None}


def from_options(kind: type[T], options: Namespace) -> T:
    """A config dataclass from its options; fields that are no options keep their defaults."""
    assert is_dataclass(kind)
    names = (field.name for field in fields(kind))
    return kind(**{name: options[name] for name in names if name in options})


def require_folder(option: str, path: str | None) -> None:
    """Check that there is a folder for the file that an option names.

    Raises:
        UserError: there is none.
    """
    if path and not Path(path).absolute().parent.is_dir():
        raise UserError(f"--{option}: there is no folder {Path(path).parent}")
