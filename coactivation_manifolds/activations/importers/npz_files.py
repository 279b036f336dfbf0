"""Reading .npz files of other people: no pickles, and errors that name the file and the member."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import InputError, StorageError


def read_members(path: Path, names: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, npt.NDArray[Any]]:
    """Named arrays of an .npz file; optional ones only where they are there.

    Raises
    ------
    InputError
        Missing, damaged, lacking a member, or holding pickled objects.

    """
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    try:
        # opened here, since np.load leaves a damaged file open
        with path.open("rb") as handle:
            archive = np.load(handle, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(f"{path} holds a single array, not an archive of named ones; save it with np.savez")
            found = archive.files
            missing = [name for name in names if name not in found]
            if missing:
                raise InputError(f"{path} lacks the array {missing[0]!r}; it has {', '.join(sorted(found))}")
            return {name: archive[name] for name in [*names, *(name for name in optional if name in found)]}
    except PermissionError as error:
        raise StorageError(f"can't read {path}: permission denied; check its owner and mode") from error
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is damaged or no .npz file of plain arrays ({reason}); write it anew") from error


def whole_numbers(array: npt.NDArray[Any], name: str, path: Path, *, smallest: int = 0) -> npt.NDArray[np.int64]:
    """A one-dimensional array of integers as int64.

    Raises
    ------
    InputError
        Not one-dimensional, not integers, or below ``smallest``.

    """
    if array.ndim != 1:
        raise InputError(f"{path}: {name} has {array.ndim} dimensions, expected 1")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{path}: {name} holds {array.dtype}, expected integers")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{path}: {name} holds a number beyond int64; renumber it")
    below = np.flatnonzero(array < smallest)
    if below.size:
        raise InputError(f"{path}, entry {below[0]}: {name} is {array[below[0]]}; give numbers from {smallest}")
    return array.astype(np.int64, copy=False)
