"""The frame around everything that trains: no network, a seed and a number of threads, all given back afterwards."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coactivation_manifolds.disk_errors import storage_errors
from coactivation_manifolds.temporaries import flush_to_disk, temporary_folder

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "disabled",
}


def work_offline() -> None:
    """Tell libraries that load models to look at this disk only; call it before they are imported.

    Their progress bars are for a person who watches: without a terminal they are off, and the log has plain lines.
    """
    os.environ.update(OFFLINE)
    # idle threads sleep in place of spinning: on a machine that is busy otherwise, training is many times faster
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")


@contextmanager
def seeded_torch(seed: int, *, threads: int) -> Iterator[None]:
    """Run a block with torch's random generator seeded and its number of threads set.

    Freed memory is kept by the process (``keep_freed_memory``).
    With the same seed and threads, the same build of torch on the same kind of processor gives the same numbers.
    """
    import torch

    keep_freed_memory()
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Tell glibc to reuse large blocks rather than to return them; elsewhere nothing happens.

    Every step of training frees and asks for the same blocks of tens of megabytes. Returned to the system, their pages
    must be zeroed each time they come back.
    """
    mmap_max, trim_threshold = -4, -1  # the numbers of these settings in glibc's malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


@contextmanager
def filled_folder(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder; on success its files are moved into ``folder``, each complete or absent."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as temporary:
            yield temporary
            for file in sorted(temporary.iterdir()):
                flush_to_disk(file)
                file.replace(folder / file.name)
