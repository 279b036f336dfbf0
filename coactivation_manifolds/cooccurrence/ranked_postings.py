"""One shard turned for counting: latents renumbered by ascending firings, postings that point into the tokens' records.

A token's record holds the ranks that fire on it, ascending, except those of the most frequent latents, then the first
rank of these, where a walk stops, then these as a mask of bits. So what follows a latent in its token, and the mask,
lie together, and one visit brings both into cache.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.cooccurrence.row_counts import AHEAD
from coactivation_manifolds.errors import InputError

Array = npt.NDArray[Any]

MASK_BITS = 2.0  # bits that 64 latents set on a mean token where a word of the mask costs less than as many counters
MOST_WORDS = 16
MOST_PLACES = 1 << 32  # in the records: a posting is one of them
TOKEN_BITS = 10  # 1,024 tokens are sorted at once, so that what is written at random stays in cache


class RankedPostings(NamedTuple):
    """Postings by rank, the place of a latent in the order of ascending firing count (ties by id).

    Attributes
    ----------
    starts
        Rank r owns the postings starts[r]:starts[r + 1], by ascending token; int64 [F + 1].
    postings
        Where in ``rows`` the more frequent latents of the posting's token begin (its run), uint32; ``AHEAD``
        of no token at the end.
    rows
        The records. A run ends before the rank ``first_masked``; a mask of no token stands before all records.
    words
        ``rows`` as uint64. A mask begins at the first whole word after ``first_masked``; bit b of its word w is rank
        ``first_masked + 64 w + b``.
    n_words, first_masked
        Words of a mask, at least one; the first rank that is in masks and not in runs.
    totals
        Firings by rank, ascending, int64 [F].
    work
        Sum of each rank's run lengths, int64 [F].
    order
        The latent of each rank, uint32 [F].

    """

    starts: Array
    postings: Array
    rows: Array
    words: Array
    n_words: int
    first_masked: int
    totals: Array
    work: Array
    order: Array


def rank_postings(
    offsets: Array, feature_ids: Array, *, n_latents: int, pool: ThreadPoolExecutor, threads: int
) -> RankedPostings:
    """Build the postings, each thread those of its own tokens.

    Parameters
    ----------
    offsets, feature_ids, n_latents
        As in ``kernel.count_pairs``.
    pool, threads
        The pool has that many workers.

    Raises
    ------
    InputError
        More entries than 32 bits can tell apart.

    """
    offsets, feature_ids = readonly(offsets), readonly(feature_ids)
    n_tokens, n_entries = len(offsets) - 1, int(offsets[-1])
    spans = list(pairwise(np.linspace(0, n_tokens, threads + 1).astype(np.int64)))
    counts = np.stack(list(pool.map(lambda span: count_ids(offsets, feature_ids, *span, n_latents), spans)))
    id_type = np.uint16 if n_latents <= 1 << 16 else np.uint32
    order = _ascending(counts.sum(axis=0))
    rank = np.empty(n_latents, id_type)
    rank[order] = np.arange(n_latents, dtype=id_type)
    sizes = counts[:, order]
    totals = sizes.sum(axis=0)
    starts = np.concatenate([[0], np.cumsum(totals)])
    cursors = starts[:-1] + np.cumsum(sizes, axis=0) - sizes
    n_words = _mask_words(totals, n_tokens)
    first_masked = max(0, n_latents - 64 * n_words)
    per_word = 8 // np.dtype(id_type).itemsize
    # a token's ranks and their end take one word more than so many ranks would at most, and the mask its words
    records = [int(offsets[first]) // per_word + int(first) * (n_words + 1) + n_words for first, _ in spans]
    words = np.empty(n_entries // per_word + n_tokens * (n_words + 1) + n_words, np.uint64)
    if len(words) * per_word > MOST_PLACES:
        raise InputError(f"a shard of {n_tokens} tokens with {n_entries} entries is too long: cut it into more shards")
    words[:n_words] = 0
    rows = words.view(id_type)
    postings = np.empty(n_entries + AHEAD, np.uint32)
    postings[n_entries:] = 0

    layout = (rows, words, n_words, first_masked)

    def turn(k: int) -> None:
        _turn(offsets, feature_ids, rank, *spans[k], cursors[k], *layout, records[k], postings)

    list(pool.map(turn, range(threads)))
    behind = totals[:first_masked][::-1].cumsum()[::-1] / max(1, n_tokens)
    work = np.zeros(n_latents, np.int64)
    work[:first_masked] = totals[:first_masked] * behind
    return RankedPostings(starts, postings, rows, words, n_words, first_masked, totals, work, order)


def _ascending(totals: Array) -> Array:
    """Latents by ascending total, ties by id, uint32: numbers that hold both are sorted faster than places."""
    id_bits = np.uint64(max(1, (len(totals) - 1).bit_length()))
    keys = totals.astype(np.uint64) << id_bits | np.arange(len(totals), dtype=np.uint64)
    keys.sort()
    return (keys & ((np.uint64(1) << id_bits) - np.uint64(1))).astype(np.uint32)


def _mask_words(totals: Array, n_tokens: int) -> int:
    """How many times 64 latents, from the most frequent down, are worth a word of the mask; one at least."""
    n_words = 1
    while n_words < MOST_WORDS and 64 * n_words < len(totals):
        last = len(totals) - 64 * n_words
        if totals[max(0, last - 64) : last].sum() < MASK_BITS * n_tokens:
            break
        n_words += 1
    return n_words


def readonly(array: Array) -> Array:
    """A read-only view, so that arrays of any origin take the same compiled code."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@compiled
def count_ids(offsets, ids, first, last, n_latents):  # type: ignore[no-untyped-def]  # typed by numba
    """How often each latent fires on the tokens first:last, int64 [n_latents]."""
    counts = np.zeros(n_latents, np.int64)
    for entry in range(offsets[first], offsets[last]):
        counts[ids[entry]] += 1
    return counts


@compiled
def _turn(  # type: ignore[no-untyped-def]  # typed by numba
    offsets, ids, rank, first, last, cursors, rows, words, n_words, first_masked, record, postings
):
    """Records, from word ``record`` on, and postings of the tokens in [first, last), by blocks that are sorted by rank.

    Loops run over unsigned numbers: signed ones cost a test for negative indices.
    """
    per_word, masked, one = np.uint64(len(rows) // len(words)), np.uint64(first_masked), np.uint64(1)
    bits = np.uint64(1)
    while len(rank) > 1 << 2 * bits:
        bits += one
    token_bits = min(np.uint64(TOKEN_BITS), np.uint64(32) - np.uint64(2) * bits)
    low_digit, token_mask = (one << bits) - one, (one << token_bits) - one
    n_sorted = np.int64(1) << np.int64(token_bits)
    most = 0
    for begin in range(first, last, n_sorted):
        most = max(most, offsets[min(begin + n_sorted, last)] - offsets[begin])
    keys, other = np.empty((2, most), np.uint32)
    low_at, high_at = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.uint64)
    free, masks = np.empty((2, n_sorted), np.uint64)
    word = np.uint64(record)
    for begin in range(first, last, n_sorted):
        low_at[:] = 0
        high_at[:] = 0
        size = np.uint64(0)
        for t in range(np.uint64(min(n_sorted, last - begin))):
            in_run = np.uint64(0)
            for entry in range(np.uint64(offsets[begin + t]), np.uint64(offsets[begin + t + 1])):
                r = np.uint64(rank[ids[entry]])
                keys[size] = r << token_bits | t
                low_at[r & low_digit] += one
                high_at[r >> bits] += one
                size += one
                in_run += np.uint64(r < masked)
            free[t] = word * per_word
            rows[free[t] + in_run] = masked
            masks[t] = word + in_run // per_word + one
            word = masks[t] + np.uint64(n_words)
            words[masks[t] : word] = 0
        _scatter(keys, other, low_at, token_bits, low_digit, size)
        _scatter(other, keys, high_at, token_bits + bits, low_digit, size)
        for e in range(size):
            r, token = keys[e] >> token_bits, keys[e] & token_mask
            here = free[token]
            if r < masked:
                rows[here] = r
                here += one
                free[token] = here
            else:
                bit = r - masked
                words[masks[token] + (bit >> np.uint64(6))] |= one << (bit & np.uint64(63))
            posting = np.uint64(cursors[r])
            cursors[r] += 1
            postings[posting] = here


@compiled
def _scatter(keys, sorted_keys, places, shift, digit_mask, size):  # type: ignore[no-untyped-def]  # typed by numba
    """One pass of a radix sort: keys in the order of one digit, whose values are counted in ``places``."""
    place = np.uint64(0)
    for digit in range(len(places)):
        place, places[digit] = place + places[digit], place
    for e in range(size):
        digit = keys[e] >> shift & digit_mask
        sorted_keys[places[digit]] = keys[e]
        places[digit] += np.uint64(1)
