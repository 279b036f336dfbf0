"""Pairs of latents with their joint firings, and how they are packed into sortable numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SAMPLED = 1000  # one pair in so many tells where the quantiles are


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

    Each thread sorts what lies between two quantiles of a sample; the result does not depend on where these are.
    """
    sample = np.sort(np.concatenate([part[::SAMPLED] for part in packed]))
    cuts = sample[np.linspace(0, len(sample), threads + 1).astype(np.int64)[1:-1]].tolist() if len(sample) else []
    bounds = list(pairwise([0, *cuts, 1 << 64]))
    ranges = list(pool.map(lambda bound: _sorted_between(packed, *bound), bounds))
    ends = np.cumsum([len(keys) for keys in ranges]).tolist()
    pairs = PairCounts(*(np.empty(ends[-1], column) for column in (np.uint32, np.uint32, np.int64)))
    list(pool.map(lambda keys, end: _take_apart(keys, pairs, end - len(keys), id_bits(n_latents)), ranges, ends))
    return pairs


def _sorted_between(packed: list[Array], low: int, high: int) -> Array:
    """The keys with low <= key < high, ascending."""
    last = np.uint64(high - 1)
    keys = np.concatenate([part[(part >= np.uint64(low)) & (part <= last)] for part in packed])
    keys.sort()
    return keys


def _take_apart(keys: Array, pairs: PairCounts, start: int, bits: int) -> None:
    """Write the pairs of the keys from ``start`` on; the keys are used up."""
    place = slice(start, start + len(keys))
    np.bitwise_and(keys, np.uint64((1 << (64 - 2 * bits)) - 1), out=pairs.n_ab[place].view(np.uint64))
    keys >>= np.uint64(64 - 2 * bits)
    pairs.b[place] = keys
    pairs.b[place] &= np.uint32((1 << bits) - 1)
    keys >>= np.uint64(bits)
    pairs.a[place] = keys
