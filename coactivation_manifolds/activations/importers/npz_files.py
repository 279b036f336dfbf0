"""Reading .npz files of other people: no pickles, and errors that name the file and the member."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import CoactivationError, InputError, StorageError

FREE_BYTES = 1 << 28
MAX_GROWTH = 200
"""An archive may unpack to 256 MiB, or to 200 times its size: sparse activations pack to a third, not a thousandth."""


def read_members(path: Path, names: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, npt.NDArray[Any]]:
    """Named arrays of an .npz file; optional ones only where they are there.

    Raises
    ------
    InputError
        Missing, damaged, lacking a member, holding pickled objects, or unpacking to hundreds of times its size.

    """
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    try:
        with path.open("rb") as handle:
            if handle.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
                raise InputError(f"{path} holds a single array, not an archive of named ones; save it with np.savez")
            with zipfile.ZipFile(handle) as archive:
                found = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
                missing = [name for name in names if name not in found]
                if missing:
                    raise InputError(f"{path} lacks the array {missing[0]!r}; it has {', '.join(sorted(found))}")
                wanted = [*names, *(name for name in optional if name in found)]
                check_unpacked_size(sum(found[name].file_size for name in wanted), path)
                return {name: read_member(archive, found[name]) for name in wanted}
    except PermissionError as error:
        raise StorageError(f"can't read {path}: permission denied; check its owner and mode") from error
    except (CoactivationError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy's reader of headers raise many kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} is damaged or no .npz file of plain arrays ({reason}); write it anew") from error


def check_unpacked_size(unpacked: int, path: Path) -> None:
    """Stop at an archive that grows beyond all proportion.

    Raises
    ------
    InputError
        With both sizes.

    """
    packed = path.stat().st_size
    if unpacked > max(FREE_BYTES, MAX_GROWTH * packed):
        raise InputError(
            f"{path}: {packed:,} bytes say that they unpack to {unpacked:,}, more than {MAX_GROWTH} times as many; "
            "write it anew, without compression if it is sound"
        )


def read_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """One array of an archive, after its header was compared with the bytes that are there.

    Raises
    ------
    ValueError
        Pickled objects, or a shape that needs more or fewer bytes.

    """
    with archive.open(entry) as handle:
        version = np.lib.format.read_magic(handle)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(handle)
        needed, there = math.prod(shape) * dtype.itemsize, entry.file_size - handle.tell()
    if dtype.hasobject:
        raise ValueError(f"{entry.filename} holds pickled objects, which are never opened")
    if needed != there or min(shape, default=0) < 0:
        raise ValueError(f"the shape of {entry.filename} needs {needed} bytes, {there} are there")
    with archive.open(entry) as handle:
        array: npt.NDArray[Any] = np.lib.format.read_array(handle, allow_pickle=False)
    return array


def whole_numbers(array: npt.NDArray[Any], name: str, path: Path, *, smallest: int = 0) -> npt.NDArray[np.int64]:
    """A one-dimensional array of integers as int64.

    Raises
    ------
    InputError
        Not one-dimensional, not integers, or below ``smallest``.

    """
    if array.ndim != 1:
        raise InputError(f"{path}: {name} has {array.ndim} dimensions, expected 1")
    if array.dtype.kind not in "iu":  # np.integer would take spans of time too
        raise InputError(f"{path}: {name} holds {array.dtype}, expected integers")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{path}: {name} holds a number beyond int64; renumber it")
    below = np.flatnonzero(array < smallest)
    if below.size:
        raise InputError(f"{path}, entry {below[0]}: {name} is {array[below[0]]}; give numbers from {smallest}")
    return array.astype(np.int64, copy=False)
