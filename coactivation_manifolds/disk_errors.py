"""Which errors of the system are about the disk, and what a person does after one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from coactivation_manifolds.errors import StorageError

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)

FAILING = (errno.EIO, errno.ENXIO, errno.ESTALE)
"""Of a disk, or of a network file system whose server fails or has gone."""

AFTER_DISK_FAILURE = "check the disk or network file system (dmesg), then run the same command again"


def is_disk_full(error: OSError) -> bool:
    """Whether an error says so; NumPy reports a short write without a number."""
    short_write = error.errno is None and "requested and" in str(error) and "written" in str(error)
    return short_write or error.errno in FULL


def is_forbidden(error: OSError) -> bool:
    """Whether an error is about a missing permission, or a file system that can only be read."""
    return error.errno in FORBIDDEN


def is_disk_failure(error: OSError) -> bool:
    """Whether an error says that the disk itself failed."""
    return error.errno in FAILING


@contextmanager
def storage_errors(path: str | os.PathLike[str], doing: str = "write") -> Iterator[None]:
    """Turn a full or failing disk or a missing permission into a ``StorageError`` that names file and remedy."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageError(
                f"no space left on the disk while writing {path}: free some space and run the same command again; "
                "finished files are kept"
            ) from error
        if is_forbidden(error):
            raise StorageError(
                f"can't {doing} {path}: {os.strerror(error.errno or 0)}; check the owner and mode of its folder"
            ) from error
        if is_disk_failure(error):
            reason = os.strerror(error.errno or 0)
            raise StorageError(f"can't {doing} {path}: {reason}; {AFTER_DISK_FAILURE}") from error
        raise
