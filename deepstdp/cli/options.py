"""What several commands share."""

from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.errors import UserError


def command_parser(name: str, description: str) -> ArgumentParser:
    """A parser for ``deepstdp NAME``, whose errors are exceptions."""
    return ArgumentParser(exit_on_error=False, prog=f"deepstdp {name}", description=description)


def require_folder(option: str, path: str | None) -> None:
    """Check that there is a folder for the file that an option names.

    Raises:
        UserError: there is none.
    """
    if path and not Path(path).absolute().parent.is_dir():
        raise UserError(f"--{option}: there is no folder {Path(path).parent}")
