"""Writing on the node's own disk first: a network file system then gets each file once, whole, from front to back."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coactivation_manifolds.errors import StorageError

SCRATCH = "COACTIVATION_SCRATCH"
"""The environment variable that names the folder; variables in it, such as ``$SLURM_TMPDIR``, are the node's."""


@contextmanager
def on_scratch(final: Path) -> Iterator[Path]:
    """Give a name to write to: ``final``, or one on scratch, whose file is copied to ``final`` on success.

    Raises
    ------
    StorageError
        ``COACTIVATION_SCRATCH`` is set, but is no folder here that can be written, or is full.

    """
    named = os.environ.get(SCRATCH)
    if not named:
        yield final
        return
    folder = Path(os.path.expandvars(named))
    try:
        own = tempfile.TemporaryDirectory(dir=folder, prefix="coactivation-")
    except OSError as error:
        raise StorageError(
            f"{SCRATCH} is {named}, but {folder} can't be written on {os.uname().nodename}: {error.strerror}; "
            "name a folder that every node has, or unset it"
        ) from error
    with own as name:
        written = Path(name) / final.name
        try:
            yield written
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageError(
                    f"no space left in {folder} on {os.uname().nodename} ({SCRATCH}): free some, or unset it, and run "
                    "the same command again; finished files are kept"
                ) from error
            raise
        shutil.copyfile(written, final)
