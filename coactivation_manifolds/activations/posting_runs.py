"""Postings of consecutive tokens: sorting a block of tokens by latent, and merging such runs, in memory or on disk.

A block is sorted by counting: its entries are counted by latent, and each is put where the counts say, tokens in
ascending order; two passes over a few megabytes. Runs are merged latent by latent: the postings of a latent are those
of the runs, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.posting_lists import Counts, latent_ranges
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.compiled import compiled

MERGED_ENTRIES = 4_000_000
"""Postings that are merged at once."""

VALUE_BITS = np.dtype(np.uint16)
"""Type of a run's values: the bits of float16, a type that numba does not know."""

Array = npt.NDArray[Any]


class Column(Protocol):
    """Numbers of which stretches can be taken."""

    def __getitem__(self, entries: slice, /) -> Array:
        """The numbers start:stop."""


@dataclass(frozen=True, eq=False)
class PostingRun:
    """Postings of consecutive tokens, ordered by latent, then token row.

    Attributes
    ----------
    starts
        int64 [n_latents + 1]: latent f owns the entries starts[f]:starts[f + 1].
    token_rows
        uint32 or uint64: rows in the concatenation of all shards.
    values
        The activations, as ``VALUE_BITS``.

    """

    starts: Counts
    token_rows: Column
    values: Column


@dataclass(frozen=True, eq=False)
class SpilledColumn:
    """Numbers in a file; only what is asked for is read."""

    file: IO[bytes]
    dtype: np.dtype[Any]

    def __getitem__(self, entries: slice, /) -> Array:
        """The numbers start:stop."""
        self.file.seek(entries.start * self.dtype.itemsize)
        return np.fromfile(self.file, self.dtype, entries.stop - entries.start)


def sort_by_latent(
    parts: Sequence[TokenRows], *, first_row: int, n_latents: int, row_type: np.dtype[Any]
) -> PostingRun:
    """The postings of consecutive parts, of which the first begins with token row ``first_row``."""
    starts = np.zeros(n_latents + 1, np.int64)
    for rows in parts:
        _count(rows.feature_ids, starts[1:])
    np.cumsum(starts, out=starts)
    token_rows, values = np.empty(starts[-1], row_type), np.empty(starts[-1], VALUE_BITS)
    following = starts[:-1].copy()
    for rows in parts:
        bits = rows.activations.view(VALUE_BITS)
        _place_entries(rows.offsets, rows.feature_ids, bits, first_row, following, token_rows, values)
        first_row += rows.n_tokens
    return PostingRun(starts, token_rows, values)


def merged_starts(runs: Sequence[PostingRun], n_latents: int) -> Counts:
    """The starts of the run that these give together, int64 [n_latents + 1]."""
    return np.sum([np.zeros(n_latents + 1, np.int64), *(run.starts for run in runs)], axis=0, dtype=np.int64)


def write_merged(
    columns: Sequence[tuple[Counts, Column]], all_starts: Counts, file: IO[bytes], dtype: np.dtype[Any]
) -> None:
    """Append one column of some runs to ``file``, ordered by latent, then as the runs are.

    ``columns`` holds each run's starts and its numbers; ``all_starts`` are those of the runs together.
    """
    for first, last in latent_ranges(np.diff(all_starts), MERGED_ENTRIES):
        following = all_starts[first:last] - all_starts[first]
        merged = np.empty(all_starts[last] - all_starts[first], dtype)
        for starts, column in columns:
            _place_lists(starts[first : last + 1], column[starts[first] : starts[last]], following, merged)
        merged.tofile(file)


@compiled
def _count(ids, counts):  # type: ignore[no-untyped-def]  # typed by numba
    """Raise the count of each id."""
    for latent in ids:
        counts[latent] += 1


@compiled
def _place_entries(offsets, ids, values, first_row, following, token_rows, sorted_values):  # type: ignore[no-untyped-def]  # typed by numba
    """Put each entry of token-major rows at the following place of its latent."""
    for t in range(len(offsets) - 1):
        for entry in range(offsets[t], offsets[t + 1]):
            place = following[ids[entry]]
            following[ids[entry]] = place + 1
            token_rows[place] = first_row + t
            sorted_values[place] = values[entry]


@compiled
def _place_lists(starts, numbers, following, merged):  # type: ignore[no-untyped-def]  # typed by numba
    """Put each latent's numbers at its following places."""
    for f in range(len(starts) - 1):
        place = following[f] - (starts[f] - starts[0])
        for entry in range(starts[f] - starts[0], starts[f + 1] - starts[0]):
            merged[place + entry] = numbers[entry]
        following[f] += starts[f + 1] - starts[f]
