"""Arrays in ``.npy`` and ``.npz`` files; pickled ones are refused."""

import zipfile
from pathlib import Path

import numpy as np

from deepstdp.data.limits import zip_members
from deepstdp.errors import UserError, one_line
from deepstdp.files import require_file


def read_arrays(path: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of a file; that of an ``.npy`` is mapped, not read.

    Args:
        path: the file.
        name: what to call the one array of an ``.npy``.

    Raises:
        UserError: no such file, a damaged one, one of Python objects, or see ``zip_members``.
    """
    require_file(path)
    try:
        if zipfile.is_zipfile(path):
            zip_members(path)
        # Only an .npy can be mapped; NumPy reads an .npz all the same.
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        arrays = {name: loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
        for key, value in arrays.items():
            if not isinstance(value, np.ndarray):
                raise ValueError(f"{key} is no array")
        return arrays
    except UserError:
        raise
    except Exception as error:  # a damaged file raises all kinds
        reason = one_line(str(error)) or type(error).__name__
        raise UserError(f"{path} cannot be read as a NumPy file ({reason})") from None
