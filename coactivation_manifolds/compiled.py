"""numba's njit as used here: machine code kept on disk between jobs, no interpreter lock, no Python objects.

Compiled functions carry no annotations: numba compiles them anew for each combination of types that they are called
with (16 and 32 bit ids, 8 and 32 bit counters), which annotations could only narrow or contradict.

A function's machine code holds that of the compiled functions that it calls, and the values of global numbers. numba
makes it anew when the function's own file changes; here also when a file that those are from does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import is_jitted


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; keep the code in ``NUMBA_CACHE_DIR`` where set, else beside the module or in the
    user's cache folder, so that only the first job ever compiles; where none can be written, compile in each process.
    """
    fast: Callable[..., Any] = numba.njit(nogil=True)(function)
    with suppress(RuntimeError):  # numba's "no locator available": no folder for the cache can be written
        fast._cache = _Cache(function)  # type: ignore[attr-defined]  # what cache=True sets, to numba's own
    return fast


class _Cache(FunctionCache):
    """numba's, whose stamp of freshness covers one file, with a stamp of all files."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__(function)
        own = self._impl.locator.get_source_stamp()
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=(own, hash_of_sources(function)),
        )


def hash_of_sources(function: Callable[..., Any]) -> str:
    """SHA-256 of what a function may be compiled from: in its module, and in those whose compiled functions this one
    imports, and so on, the source and the numbers and strings that are global when the function is defined.
    """
    found = hashlib.sha256()
    modules: dict[str, dict[str, Any]] = {}
    waiting = [function]
    while waiting:
        namespace = waiting.pop().__globals__
        name = namespace["__name__"]
        if name in modules:
            continue
        modules[name] = namespace
        if "__file__" in namespace:
            found.update(Path(namespace["__file__"]).read_bytes())
        for key, value in sorted(namespace.items(), key=lambda item: item[0]):
            if is_jitted(value):
                waiting.append(value.py_func)
            elif isinstance(value, int | float | str) and not key.startswith("__"):
                found.update(f"{key} = {value!r}\n".encode())
    return found.hexdigest()
