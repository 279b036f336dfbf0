"""Pairs of latents with their joint firings, and how they are packed into sortable numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled

Array = npt.NDArray[Any]

BUCKET_BITS = 8  # of the smaller id: what has them in common is sorted at once, in cache


class PairCounts(NamedTuple):
    """Pairs with ``a < b``, ordered by (a, b): ids uint32[m], uint32[m] and joint firings int64[m]."""

    a: Array
    b: Array
    n_ab: Array


def id_bits(n_latents: int) -> int:
    """Bits of a latent's id in a packed pair."""
    return max(1, (n_latents - 1).bit_length())


def max_packed_tokens(n_latents: int) -> int:
    """How many tokens may be counted: the count takes what two ids leave of 64 bits, and 31 at most."""
    return (1 << min(31, 64 - 2 * id_bits(n_latents))) - 1


def unpack_pairs(packed: list[Array], n_latents: int, *, pool: ThreadPoolExecutor, threads: int) -> PairCounts:
    """Sort pairs packed as a, b, n_ab from the highest bits down (uint64), and take them apart.

    They are put into buckets by their highest bits first; each bucket is then small enough to be sorted in cache.
    """
    bits = id_bits(n_latents)
    shift = 64 - min(BUCKET_BITS, bits)
    n_buckets = ((n_latents - 1) >> max(0, bits - BUCKET_BITS)) + 1
    sizes = np.stack(list(pool.map(lambda part: _bucket_sizes(part, shift, n_buckets), packed)))
    ends = sizes.sum(axis=0).cumsum()
    starts = ends - sizes.sum(axis=0)
    keys = np.empty(ends[-1], np.uint64)
    list(pool.map(lambda part, place: _fill_buckets(part, shift, place, keys), packed, starts + _before(sizes)))
    pairs = PairCounts(*(np.empty(len(keys), column) for column in (np.uint32, np.uint32, np.int64)))

    def finish(span: Array) -> None:
        for k in span:
            keys[starts[k] : ends[k]].sort()
            _take_apart(keys, starts[k], ends[k], bits, *pairs)

    list(pool.map(finish, np.array_split(np.arange(n_buckets), 4 * threads)))
    return pairs


def _before(sizes: Array) -> Array:
    """What the parts before have in each bucket."""
    return np.asarray(sizes.cumsum(axis=0) - sizes)


@compiled
def _bucket_sizes(part, shift, n_buckets):  # type: ignore[no-untyped-def]  # typed by numba
    sizes = np.zeros(n_buckets, np.int64)
    for key in part:
        sizes[key >> np.uint64(shift)] += 1
    return sizes


@compiled
def _fill_buckets(part, shift, places, keys):  # type: ignore[no-untyped-def]  # typed by numba
    """Copy the part's keys, each to the next place of its bucket."""
    for key in part:
        bucket = key >> np.uint64(shift)
        keys[np.uint64(places[bucket])] = key
        places[bucket] += 1


@compiled
def _take_apart(keys, start, end, bits, a, b, n_ab):  # type: ignore[no-untyped-def]  # typed by numba
    """Write the pairs of keys[start:end] to the same places of the columns."""
    id_bits, count_bits, one = np.uint64(bits), np.uint64(64 - 2 * bits), np.uint64(1)
    for k in range(np.uint64(start), np.uint64(end)):
        key = keys[k]
        a[k] = key >> (id_bits + count_bits)
        b[k] = (key >> count_bits) & ((one << id_bits) - one)
        n_ab[k] = key & ((one << count_bits) - one)
