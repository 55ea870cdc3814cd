"""Files in tar archives: listed once, then read where they lie, and never extracted."""

import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from deepstdp.data.readers import SliceReader, read_slice
from deepstdp.errors import UserError
from deepstdp.files import MISFITS
from deepstdp.progress import Progress


class TarTree:
    """The files in uncompressed tar archives, as ``<archive>/<member>``.

    An archive is called by its path below the folder that they share, without its ending.

    Args:
        archives: their paths.
        progress: follows the listing.

    Raises:
        UserError: an archive is damaged, or has two members of one name.
    """

    def __init__(self, archives: Sequence[Path], progress: Progress) -> None:
        self._archives = list(archives)
        shared = os.path.commonpath([path.parent for path in archives])
        places: dict[str, tuple[int, int, int]] = {}
        listed = progress.track(enumerate(archives), "listing archives", len(archives))
        for number, path in listed:
            top = path.relative_to(shared).with_suffix("").as_posix()
            for member in _members(path):
                name = f"{top}/{member.name.removeprefix('./')}"
                if name in places:
                    raise UserError(f"{path} has two members called {member.name}")
                places[name] = (number, member.offset_data, member.size)
        self._places = places
        self.names: Sequence[str] = sorted(places)

    def reader(self, names: Sequence[str]) -> SliceReader:
        """What reads the named files, by their position among the names."""
        places = np.array([self._places[name] for name in names], dtype=np.int64)
        return SliceReader(self._archives, *places.reshape(-1, 3).T.copy())


def _members(path: Path) -> Iterator[tarfile.TarInfo]:
    """The regular files of an archive."""
    try:
        offset = -1
        with tarfile.open(path, "r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # they are kept otherwise
                if archive.offset <= offset:
                    raise tarfile.ReadError(f"a member of negative size at byte {offset}")
                offset = archive.offset
                if member.isreg() and not member.issparse():
                    yield member
            # tarfile takes a damaged header for the end, and needs no end at all.
            if any(read_slice(path, archive.offset, tarfile.BLOCKSIZE)):
                raise tarfile.ReadError(f"no member at byte {archive.offset}")
    except (tarfile.TarError, OSError, EOFError, *MISFITS) as error:
        raise UserError(
            f"{path} is no tar archive, or a damaged one ({error}): copy or make it again"
        ) from None
