"""The run that a file was exported from, found among those nearby."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from deepstdp.errors import UserError
from deepstdp.run_dir import CONFIG, RunDir

_DEPTHS = ("", "*/", "*/*/", "*/*/*/")
"""Where runs lie in a folder: ``photos``, ``compared/stdp/seed-0``."""

_MOST_BYTES = 2**32
"""Of weights that are looked at: what claims more is none of ours, and takes long to read."""


def find_origin(fingerprint: str, folders: Iterable[Path], trust_code: bool = False) -> RunDir:
    """The finished run of a fingerprint in some folders; of copies, the first.

    Args:
        fingerprint: see ``RunDir.fingerprint``.
        folders: to look in, three levels deep.
        trust_code: see ``RunDir.open``.

    Raises:
        UserError: it is in none of them.
    """
    folders = list(folders)
    for path in _runs(folders):
        try:
            found = RunDir(path).fingerprint() == fingerprint
        except OSError:  # none that we may read
            continue
        if found:
            return RunDir.open(path, trust_code)
    named = " or ".join(dict.fromkeys(str(folder) for folder in folders))
    raise UserError(f"the run of this file is not in {named}: name it with --run RUN")


def _runs(folders: Iterable[Path]) -> Iterator[Path]:
    """Folders of finished runs, each once."""
    seen = set()
    for folder in folders:
        for depth in _DEPTHS:
            for config in sorted(folder.glob(f"{depth}{CONFIG}")):
                weights = config.with_name("weights.safetensors")
                place = config.parent.resolve()
                if place in seen or not weights.is_file():
                    continue
                seen.add(place)
                if weights.stat().st_size <= _MOST_BYTES:
                    yield config.parent
