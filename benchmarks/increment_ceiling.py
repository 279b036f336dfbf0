"""The machine's ceiling: a loop that does nothing but raise counters."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

CEILING_INCREMENTS = 200_000_000
"""For each thread."""


def ceiling(threads: int) -> Callable[[], None]:
    """Counters at places that stand in a stored stream (4 million of 65,536, 256 KiB of counters: they stay in L2)."""
    rng = np.random.default_rng(0)
    streams = rng.integers(0, 1 << 16, (threads, 4_000_000), np.uint16)
    counters = np.zeros((threads, 1 << 16), np.int32)

    def work(k: int) -> None:
        for _ in range(CEILING_INCREMENTS // streams.shape[1]):
            raise_counters(streams[k], counters[k])

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))

    return run


@numba.njit(nogil=True)
def raise_counters(stream, counters):  # type: ignore[no-untyped-def]  # typed by numba
    """One for each place of the stream."""
    for place in stream:
        counters[place] += np.int32(1)
