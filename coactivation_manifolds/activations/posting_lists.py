"""Lists of postings: cutting latents into ranges that fit into memory, and lists to a span of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


class LatentRange(NamedTuple):
    """Postings of consecutive latents: latent ``first`` + f owns the entries starts[f]:starts[f + 1] of the others."""

    first: int
    starts: npt.NDArray[np.int64]
    token_rows: npt.NDArray[Any]
    values: npt.NDArray[np.float16]


def latent_ranges(counts: Counts, entries: int) -> Iterator[tuple[int, int]]:
    """Ranges [first, last) of latents with at most so many postings together, or one latent alone."""
    first, held = 0, 0
    for latent, count in enumerate(counts.tolist()):
        if held and held + count > entries:
            yield first, latent
            first, held = latent, 0
        held += count
    yield first, len(counts)


def postings_within(
    token_rows: npt.NDArray[Any], values: npt.NDArray[np.float16], first: int, last: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float16]]:
    """The postings of a latent on the rows first..last, both included."""
    # asked in the list's own type: else NumPy would convert, and so read, the whole list
    low = np.searchsorted(token_rows, token_rows.dtype.type(first), side="left")
    high = np.searchsorted(token_rows, token_rows.dtype.type(last), side="right")
    # plain arrays: each cut of a memory map costs some microseconds
    return np.asarray(token_rows[low:high]), np.asarray(values[low:high])
