"""The compiled loop nest of the kernel: pairs of a range of latents.

    for each latent i of the range, rarest first                      count_rows
        for each token t on which i fires, 64 at a time               _count, or _count_and_list
            for each more frequent latent j of t: raise counter j     (those with masks of bits: mask_counts.add_masks)
        read the counters, keep the pairs, clear                      kept_pairs, mask_counts.read_masks

It is Gustavson's row-wise sparse product (ACM Trans. Math. Softw. 4, 1978), for the upper triangle of A^T A with A the
binary tokens x latents matrix. The work is one increment for each pair of latents on each token, k (k - 1) / 2 for k
latents; no order of the loops has fewer. Bound: the visits' lines of cache, some four each, then one increment a cycle
or two. What keeps near it:

- Ranks ascend with firings, so a pair is counted from its rarer latent: few visits of tokens, each a long run; the
  counters raised are those of frequent latents, which stay in cache.
- What a visit reads is asked for some visits ahead (an instruction that waits for nothing), so cache misses overlap
  with counting.
- No pair has more joint firings than its rarer latent, so rare ones count in bytes, and few lines of cache are read.
- A latent with little work lists the counters that it raised first, and only those are read.
- Loops run over unsigned numbers: signed ones cost a test for negative indices.
"""

from __future__ import annotations

import numpy as np

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.cooccurrence.kept_pairs import pack, read_bytes, read_wide
from coactivation_manifolds.cooccurrence.mask_counts import add_masks, read_masks
from coactivation_manifolds.cooccurrence.prefetch import prefetch_lines

NARROW = 255  # latents that fire no more often count in bytes
BATCH = 64  # visits whose masks are added at once
AHEAD, LINES = 16, 4  # how many visits before a visit its lines of cache are asked for, and how many
FEW = 4  # counters read in the time of one listed


@compiled
def count_rows(  # type: ignore[no-untyped-def]  # typed by numba
    first, last, starts, postings, rows, words, n_words, first_masked, totals, work, order, p, q, prune,
    narrow, wide, planes, masks, touched, bits, out, size,
):  # fmt: skip
    """Count from ranks first, first + 1, ... until ``last`` or a full buffer; pairs found are appended to out[:size].

    Returns the next rank and the new size. Counters and ``planes`` are all zero before and after; the last
    ``kept_pairs.BLOCK`` counters are padding that nothing raises.
    """
    n_latents, masked, one = np.uint64(len(totals)), np.uint64(first_masked), np.uint64(1)
    for i in range(np.uint64(first), np.uint64(last)):
        if np.uint64(size) + n_latents - i > np.uint64(len(out)):
            return np.int64(i), size
        n_i, begin, end = totals[i], np.uint64(starts[i]), np.uint64(starts[i + one])
        limit = n_latents
        if p > 0:
            limit = np.uint64(np.searchsorted(totals, n_i * q // p, side="right"))
        stop = min(limit, masked)
        counted = limit if prune else n_latents
        below = min(counted, masked)
        few = n_i <= NARROW and work[i] * FEW < np.int64(stop) - np.int64(i)
        levels = np.uint64(0)
        while n_i >> levels:
            levels += one
        n_touched = np.uint64(0)
        for batch in range(begin, end, np.uint64(BATCH)):
            size_of_batch = min(np.uint64(BATCH), end - batch)
            if few:
                n_touched = _count_and_list(
                    batch, size_of_batch, postings, rows, below, narrow, touched, n_touched, masks
                )
            elif n_i <= NARROW:
                _count(batch, size_of_batch, postings, rows, below, narrow, masks)
            else:
                _count(batch, size_of_batch, postings, rows, below, wide, masks)
            if counted > masked:
                add_masks(size_of_batch, words, masks, planes, levels)
        if few:
            for k in range(n_touched):
                j = np.uint64(touched[k])
                n = np.int64(narrow[j])
                if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                    out[size] = pack(order[i], order[j], n, bits)
                    size += 1
                narrow[j] = 0
        elif n_i <= NARROW:
            size = read_bytes(stop, narrow, out, size, i, p, q, totals, order, bits)
            narrow[stop:below] = 0
        else:
            size = read_wide(stop, wide, out, size, i, p, q, totals, order, bits)
            wide[stop:below] = 0
        if counted > masked:
            size = read_masks(masked, limit, planes, levels, out, size, i, p, q, totals, order, bits)
            planes[:, : max(levels, np.uint64(3))] = 0
    return last, size


@compiled
def _count(begin, n_visits, postings, rows, below, acc, masks):  # type: ignore[no-untyped-def]  # typed by numba
    """Raise the counters of the ranks under ``below`` in the runs; write where the masks of whole runs begin."""
    per_word, one, ahead = np.uint64(8 // rows.itemsize), np.uint64(1), np.uint64(AHEAD)
    for k in range(n_visits):
        prefetch_lines(rows, postings[begin + k + ahead], LINES)
        x = np.uint64(postings[begin + k])
        j = rows[x]
        while j < below:
            acc[j] += 1
            x += one
            j = rows[x]
        masks[k] = x // per_word + one
    masks[n_visits : n_visits + np.uint64(7)] = 0


@compiled
def _count_and_list(begin, n_visits, postings, rows, below, acc, touched, n_touched, masks):  # type: ignore[no-untyped-def]  # typed by numba
    """The same, and list the counters raised, each once; returns their number."""
    per_word, one, ahead = np.uint64(8 // rows.itemsize), np.uint64(1), np.uint64(AHEAD)
    for k in range(n_visits):
        prefetch_lines(rows, postings[begin + k + ahead], LINES)
        x = np.uint64(postings[begin + k])
        j = rows[x]
        while j < below:
            touched[n_touched] = j
            n_touched += np.uint64(acc[j] == 0)
            acc[j] += 1
            x += one
            j = rows[x]
        masks[k] = x // per_word + one
    masks[n_visits : n_visits + np.uint64(7)] = 0
    return n_touched
