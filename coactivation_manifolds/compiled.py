"""numba's njit as used here: machine code kept on disk between jobs, no interpreter lock, no Python objects.

Compiled functions carry no annotations: numba compiles them anew for each combination of types that they are called
with (16 and 32 bit ids, 8 and 32 bit counters), which annotations could only narrow or contradict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; keep the code in ``NUMBA_CACHE_DIR`` where set, else beside the module or in the
    user's cache folder, so that only the first job ever compiles; where none can be written, compile in each process.
    """
    try:
        fast: Callable[..., Any] = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba's "no locator available": no folder for the cache can be written
        fast = numba.njit(nogil=True)(function)
    return fast
