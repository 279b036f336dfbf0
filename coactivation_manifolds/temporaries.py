"""Temporary names beside a file that is being written: locked while their writer lives, removed once it is dead."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def temporary_file(final: Path) -> Iterator[Path]:
    """Make an empty file beside ``final``, to be filled and renamed; what is left of it in the end is removed.

    Before that, the files go that killed jobs on this machine have left beside the same ``final``. Those of other
    machines stay, since not every network file system shows one machine the locks of another.
    """
    with claimed(final, is_folder=False) as temporary:
        yield temporary


@contextmanager
def temporary_folder(final: Path) -> Iterator[Path]:
    """Make an empty folder beside ``final``, as ``temporary_file`` does; what is left in the end is removed."""
    with claimed(final, is_folder=True) as temporary:
        yield temporary


@contextmanager
def claimed(final: Path, *, is_folder: bool) -> Iterator[Path]:
    """Make a file or folder whose name nobody else has, and hold a lock on it, which the system ends with us."""
    remove_dead(final)
    handle, temporary = -1, final
    while handle < 0:
        temporary = final.with_name(f".{final.name}.{machine()}.{uuid.uuid4().hex[:12]}.tmp")
        if is_folder:
            temporary.mkdir()
        else:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        handle = held(temporary)
    try:
        yield temporary
    finally:
        remove(temporary)
        os.close(handle)


def held(temporary: Path) -> int:
    """Lock a new temporary; its descriptor, or -1 where another job took it for a dead one before it was locked.

    On a file system without locks it stays unlocked, and no job can find that it is dead.
    """
    try:
        handle = os.open(temporary, os.O_RDONLY if temporary.is_dir() else os.O_RDWR)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lost = not temporary.exists()
    except OSError as error:
        lost = isinstance(error, BlockingIOError)
    if lost:
        os.close(handle)
        return -1
    return handle


def remove_dead(final: Path) -> None:
    """Remove the temporaries of ``final`` whose writer was a job on this machine and is dead."""
    ours = re.compile(rf"\.{re.escape(final.name)}\.{re.escape(machine())}\.[0-9a-f]{{12}}\.tmp")
    with suppress(OSError), os.scandir(final.parent) as entries:
        for temporary in [Path(entry.path) for entry in entries if ours.fullmatch(entry.name)]:
            with suppress(OSError):
                remove_if_dead(temporary)


def remove_if_dead(temporary: Path) -> None:
    """Remove a temporary unless somebody holds its lock; raises ``BlockingIOError`` if so."""
    handle = os.open(temporary, os.O_NOFOLLOW | (os.O_RDONLY if temporary.is_dir() else os.O_RDWR))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(temporary)
    finally:
        os.close(handle)


def remove(temporary: Path) -> None:
    """Remove a file or folder, if it is there."""
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)


def machine() -> str:
    """The name of the machine, which stands in the names of its temporaries."""
    return os.uname().nodename


def flush_to_disk(path: Path) -> None:
    """Wait until the disk has a file's bytes."""
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())
