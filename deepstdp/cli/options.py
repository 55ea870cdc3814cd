"""What several commands check."""

from pathlib import Path

from deepstdp.errors import UserError


def require_folder(option: str, path: str | None) -> None:
    """Check that there is a folder for the file that an option names.

    Raises:
        UserError: there is none.
    """
    if path and not Path(path).absolute().parent.is_dir():
        raise UserError(f"--{option}: there is no folder {Path(path).parent}")
