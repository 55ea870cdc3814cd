"""The run that a file was exported from, found among those nearby."""

from collections.abc import Iterable
from pathlib import Path

from deepstdp.errors import UserError
from deepstdp.run_dir import RunDir

DEPTHS = ("", "*/", "*/*/", "*/*/*/")
"""Where runs lie in a folder: ``photos``, ``compared/stdp/seed-0``."""


def find_origin(fingerprint: str, folders: Iterable[Path], trust_code: bool = False) -> RunDir:
    """The finished run of a fingerprint in some folders; if there are copies, the first of them.

    Args:
        fingerprint: see ``RunDir.fingerprint``.
        folders: to look in, three levels deep.
        trust_code: see ``RunDir.open``.

    Raises:
        UserError: it is in none of them.
    """
    folders = list(folders)
    for folder in folders:
        for depth in DEPTHS:
            for weights in sorted(folder.glob(f"{depth}weights.safetensors")):
                run = RunDir(weights.parent)
                if weights.is_file() and run.fingerprint() == fingerprint:
                    return RunDir.open(run.path, trust_code)
    named = " or ".join(dict.fromkeys(str(folder) for folder in folders))
    raise UserError(f"the run of this file is not in {named}: name it with --run RUN")
