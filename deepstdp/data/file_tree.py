"""Files of a folder or of a zip archive, read in the same way and never extracted."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

import numpy as np

from deepstdp.data.limits import zip_members
from deepstdp.data.readers import PathReader, Reader, ZipReader
from deepstdp.errors import UserError


@runtime_checkable
class FileTree(Protocol):
    """Named files; names are relative, with forward slashes, and sorted."""

    names: Sequence[str]

    def reader(self, names: Sequence[str]) -> Reader:
        """What reads the named files, by their position among the names."""
        ...


class FolderTree:
    """The files below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.names: Sequence[str] = sorted(
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
        )

    def reader(self, names: Sequence[str]) -> PathReader:
        """What reads the named files, by their position among the names."""
        return PathReader(self._root, names)


class ZipTree:
    """The files in a zip archive."""

    def __init__(self, path: Path) -> None:
        members = zip_members(path)
        self._path = path
        # Some writers separate folders by backslashes, against the standard.
        self._members = {member.filename.replace("\\", "/"): member for member in members}
        self.names: Sequence[str] = sorted(n for n in self._members if not n.endswith("/"))

    def reader(self, names: Sequence[str]) -> ZipReader:
        """What reads the named files, by their position among the names."""
        members = [self._members[name] for name in names]
        columns = [
            (m.header_offset, m.compress_size, m.file_size, m.CRC, m.compress_type) for m in members
        ]
        return ZipReader(self._path, *np.array(columns, dtype=np.int64).reshape(-1, 5).T.copy())


class SubTree:
    """What lies below one folder of another tree."""

    def __init__(self, parent: FileTree, prefix: str) -> None:
        self._parent, self._prefix = parent, prefix
        self.names: Sequence[str] = [
            name.removeprefix(prefix) for name in parent.names if name.startswith(prefix)
        ]

    def reader(self, names: Sequence[str]) -> Reader:
        """What reads the named files, by their position among the names."""
        return self._parent.reader([self._prefix + name for name in names])


def open_tree(path: Path) -> FileTree:
    """The files of a folder or zip, without a single top folder that wraps them all.

    Raises:
        UserError: no such path, or neither a folder nor a zip.
    """
    if path.is_dir():
        tree: FileTree = FolderTree(path)
    elif path.suffix.lower() == ".zip":
        tree = ZipTree(path)
    else:
        raise UserError(
            f"{path} is neither a folder, a .zip, a .tar, an .npz nor an .npy of images (deepstdp "
            "cluster takes feature vectors)"
        )
    # Archives and unpacked downloads often hold one folder: look into it.
    tops = {PurePosixPath(name).parts[0] for name in tree.names if not _is_hidden(name)}
    if len(tops) == 1 and any(f"{top}/" in name for top in tops for name in tree.names):
        (top,) = tops
        inner = SubTree(tree, f"{top}/")
        if any("/" in name for name in inner.names):
            return inner
    return tree


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not parts or any(part.startswith((".", "__MACOSX")) for part in parts)


def image_names(tree: FileTree) -> list[str]:
    """Names of the image files, by their ending."""
    endings = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
    return [n for n in tree.names if n.lower().endswith(endings) and not _is_hidden(n)]


def read_text(tree: FileTree, name: str) -> str:
    """A text file of a tree.

    Raises:
        UserError: it is not UTF-8, or damaged, or larger than a text may be.
    """
    try:
        return tree.reader([name]).read(0).decode()
    except UnicodeDecodeError:
        raise UserError(f"{name} is not a text file in UTF-8") from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{name} cannot be read ({error})") from None
