"""Which GPUs a harvest takes on a machine that it shares with other harvests.

A scheduler such as Slurm gives each job GPUs of its own. Jobs on one machine without one all see every GPU, and PyTorch
takes the first. So a job that sees more than it asked for takes that many for itself, by locks of the system, which end
with their process however it ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from coactivation_manifolds.errors import StorageError

VISIBLE = "CUDA_VISIBLE_DEVICES"
SECONDS_BETWEEN_TRIES = 0.5

logger = logging.getLogger(__name__)


@contextmanager
def lease_gpus(n_gpus: int, *, device: str, folder: Path | None = None) -> Iterator[list[str]]:
    """Take GPUs that no other job of this user on this machine has taken; wait while there are too few.

    Sets ``CUDA_VISIBLE_DEVICES``, which CUDA reads once, when it is first used: enter before that. Does nothing where
    the job sees no more GPUs than it asks for, as under a scheduler, and where the configuration names the device.

    Parameters
    ----------
    n_gpus
        How many; 0 takes none.
    device
        ``harvest.device``: GPUs are shared out for ``auto`` and ``cuda`` only.
    folder
        Of the lock files, on this machine's own disk; by default one of this user's in the folder for temporary files.

    Yields
    ------
    list of str
        The GPUs taken, as ``CUDA_VISIBLE_DEVICES`` names them; empty where nothing was to be shared out.

    Raises
    ------
    StorageError
        The folder of the lock files can't be made, or is somebody else's.

    """
    visible = visible_gpus() if n_gpus > 0 and device in ("auto", "cuda") else []
    if len(visible) <= n_gpus:
        yield []
        return
    before = os.environ.get(VISIBLE)
    with ExitStack() as locks:
        taken = take(visible, n_gpus, locks=locks, folder=folder or lock_folder())
        logger.info("this job takes GPU %s of %s", ",".join(taken), ",".join(visible))
        os.environ[VISIBLE] = ",".join(taken)
        try:
            yield taken
        finally:
            os.environ.pop(VISIBLE)
            if before is not None:
                os.environ[VISIBLE] = before


def visible_gpus() -> list[str]:
    """The GPUs that this process may use: those of ``CUDA_VISIBLE_DEVICES``, else all that nvidia-smi lists.

    PyTorch is not asked: its answer would settle which GPUs this process sees.
    """
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name for name in (each.strip() for each in named.split(",")) if name not in ("", "-1")]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()


def take(visible: Sequence[str], n_gpus: int, *, locks: ExitStack, folder: Path) -> list[str]:
    """Lock so many of the GPUs, in their order; ``locks`` holds the locks.

    One job at a time chooses, so that a job of several GPUs is not passed by jobs of one for ever.
    """
    taken: set[str] = set()
    told = False
    with open_lock(folder / "choosing") as choosing:
        fcntl.flock(choosing, fcntl.LOCK_EX)
        while True:
            for name in visible:
                if len(taken) < n_gpus and name not in taken and try_lock(folder / lock_name(name), locks):
                    taken.add(name)
            if len(taken) == n_gpus:
                return [name for name in visible if name in taken]
            if not told:
                logger.info("waiting for %d of the GPUs %s to be free", n_gpus - len(taken), ",".join(visible))
                told = True
            time.sleep(SECONDS_BETWEEN_TRIES)


def lock_name(gpu: str) -> str:
    """The name of a GPU's lock file."""
    return "gpu-" + re.sub(r"[^A-Za-z0-9-]", "_", gpu)


def try_lock(path: Path, locks: ExitStack) -> bool:
    """Lock a file unless another process has; ``locks`` keeps it locked."""
    with ExitStack() as attempt:
        handle = attempt.enter_context(open_lock(path))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        locks.push(attempt.pop_all())
        return True


def open_lock(path: Path) -> IO[bytes]:
    """A lock file; never through a link that somebody put there."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "rb+")


def lock_folder() -> Path:
    """The user's folder of lock files, on this machine's own disk.

    Raises
    ------
    StorageError
        It can't be made, or the name is taken by somebody else.

    """
    folder = Path(tempfile.gettempdir()) / f"coactivation_manifolds-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StorageError(
            f"can't make {folder}, where jobs note which GPU they use: {error.strerror}; check the folder for "
            "temporary files (TMPDIR)"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StorageError(
            f"{folder}, where jobs note which GPU they use, belongs to somebody else: remove it, or set TMPDIR to a "
            "folder of your own"
        )
    return folder
