"""One shard turned for counting: latents renumbered by ascending firings, postings that point into their tokens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.cooccurrence.compiled import compiled

Array = npt.NDArray[Any]


class RankedPostings(NamedTuple):
    """Postings by rank, the place of a latent in the order of ascending firing count (ties by id).

    Attributes
    ----------
    starts
        Rank r owns the postings starts[r]:starts[r + 1], by ascending token; int64 [F + 1].
    run_start, run_length
        Of a posting: where in ``rows`` the more frequent latents of its token stand, and how many they are.
    rows
        Token-major ranks, ascending in each token; two more at the end, so that reading at any run's start is legal.
    totals
        Firings by rank, ascending, int64 [F].
    work
        Increments of each rank, the sum of its run lengths, int64 [F].
    order
        The latent of each rank, uint32 [F].

    """

    starts: Array
    run_start: Array
    run_length: Array
    rows: Array
    totals: Array
    work: Array
    order: Array


def rank_postings(
    offsets: Array, feature_ids: Array, *, n_latents: int, pool: ThreadPoolExecutor, threads: int
) -> RankedPostings:
    """Build the postings by two counting sorts, each thread over its own tokens; the same for any number of threads.

    Parameters
    ----------
    offsets, feature_ids, n_latents
        As in ``kernel.count_pairs``.
    pool, threads
        The pool has that many workers.

    """
    offsets, feature_ids = _readonly(offsets), _readonly(feature_ids)
    n_entries = int(offsets[-1])
    blocks = np.linspace(0, len(offsets) - 1, threads + 1).astype(np.int64)
    spans = list(pairwise(blocks))
    counts = np.stack(list(pool.map(lambda span: _count_ids(offsets, feature_ids, *span, n_latents), spans)))
    order = np.argsort(counts.sum(axis=0), kind="stable").astype(np.uint32)
    rank = np.empty(n_latents, np.uint32)
    rank[order] = np.arange(n_latents, dtype=np.uint32)
    sizes = counts[:, order]
    totals = sizes.sum(axis=0)
    starts = np.concatenate([[0], np.cumsum(totals)])
    first_posting = starts[:-1] + np.cumsum(sizes, axis=0) - sizes
    id_type = np.uint16 if n_latents <= 1 << 16 else np.uint32
    rows, run_length = np.zeros(n_entries + 2, id_type), np.empty(n_entries, id_type)
    run_start = np.empty(n_entries, np.uint32 if n_entries < 1 << 32 else np.int64)
    work = np.zeros((threads, n_latents), np.int64)

    def transpose(k: int) -> None:
        at, size = first_posting[k], sizes[k]
        _transpose(offsets, feature_ids, rank, *spans[k], at, size, rows, run_start, run_length, work[k])

    list(pool.map(transpose, range(threads)))
    return RankedPostings(starts, run_start, run_length, rows, totals, work.sum(axis=0), order)


def _readonly(array: Array) -> Array:
    """A read-only view, so that arrays of any origin take the same compiled code."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@compiled
def _count_ids(offsets, ids, first, last, n_latents):  # type: ignore[no-untyped-def]
    counts = np.zeros(n_latents, np.int64)
    for entry in range(offsets[first], offsets[last]):
        counts[ids[entry]] += 1
    return counts


@compiled
def _transpose(offsets, ids, rank, first, last, starts, sizes, rows, run_start, run_length, work):  # type: ignore[no-untyped-def]
    """Postings by rank of the tokens in [first, last), then these tokens' rows in ascending rank from the postings."""
    cursor = starts.copy()
    for t in range(first, last):
        for entry in range(offsets[t], offsets[t + 1]):
            r = rank[ids[entry]]
            run_start[cursor[r]] = t
            cursor[r] += 1
    end = offsets[first:last].copy()
    for r in range(len(sizes)):
        total = np.int64(0)
        for posting in range(starts[r], starts[r] + sizes[r]):
            token = np.int64(run_start[posting])
            here = end[token - first]
            rows[here] = r
            end[token - first] = here + 1
            run_start[posting] = here + 1
            run_length[posting] = offsets[token + 1] - here - 1
            total += offsets[token + 1] - here - 1
        work[r] = total
