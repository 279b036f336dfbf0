"""The compiled part of the kernel: counts of a range of latents. The loop nest is explained in ``kernel``.

All functions and constants that it is made of stand in this file: machine code kept on disk is made anew when this file
changes, not when another does. Loops run over unsigned numbers: signed ones cost a test for negative indices.
"""

from __future__ import annotations

import numpy as np

from coactivation_manifolds.compiled import compiled

BLOCK, PART = 64, 8  # counters read at once; and where a block holds a pair
BATCH = 64  # visits touched at once
FEW = 4  # counters read in the time of one listed


@compiled
def count_rows(  # type: ignore[no-untyped-def]  # typed by numba
    first,
    last,
    starts,
    postings,
    rows,
    words,
    n_words,
    first_masked,
    length_bits,
    totals,
    work,
    order,
    p,
    q,
    prune,
    acc,
    planes,
    masks,
    touched,
    out,
    bits,
):
    """Count from ranks first, first + 1, ... until ``last`` or a full buffer; returns the next rank and pairs found.

    ``acc`` and ``planes`` are all zero before and after; the last BLOCK counters are padding that nothing raises. Loops
    run over unsigned numbers: signed ones cost a test for negative indices.
    """
    n_latents, masked, one = np.uint64(len(totals)), np.uint64(first_masked), np.uint64(1)
    block, part, length = np.uint64(BLOCK), np.uint64(PART), np.uint64(length_bits)
    size, sink = 0, np.uint64(0)
    for i in range(np.uint64(first), np.uint64(last)):
        if size + len(totals) - i > len(out):
            return np.int64(i), size
        n_i, begin, end = totals[i], np.uint64(starts[i]), np.uint64(starts[i + one])
        limit = n_latents
        if p > 0:
            limit = np.uint64(np.searchsorted(totals, n_i * q // p, side="right"))
        stop = min(limit, masked)
        counted = limit if prune else n_latents
        few = work[i] * FEW < np.int64(stop) - np.int64(i)
        levels = np.uint64(0)
        while n_i >> levels:
            levels += one
        n_touched = np.uint64(0)
        for batch in range(begin, end, np.uint64(BATCH)):
            batch_end = min(batch + np.uint64(BATCH), end)
            sink += _touch(batch, batch_end, postings, length, rows, words, masks)
            if counted > masked:
                _add_masks(batch_end - batch, words, masks, planes, levels)
            if i < masked:
                if few:
                    n_touched = _count_and_list(
                        batch, batch_end, stop, prune, postings, length, rows, acc, touched, n_touched
                    )
                else:
                    _count(batch, batch_end, counted, postings, length, rows, acc)
        if few:
            for k in range(n_touched):
                j = touched[k]
                n = np.int64(acc[j])
                acc[j] = 0
                if n * (p + q) >= p * (n_i + totals[j]):
                    out[size] = _pack(order[i], order[j], n, bits)
                    size += 1
        else:
            for low in range(i + one, stop, block):
                largest = acc[low]
                for j in range(low, low + block):
                    largest = max(largest, acc[j])
                if largest > 0 and np.int64(largest) * (p + q) >= p * (n_i + totals[low]):
                    for start in range(low, min(low + block, stop), part):
                        largest = acc[start]
                        for j in range(start, start + part):
                            largest = max(largest, acc[j])
                        if largest > 0 and np.int64(largest) * (p + q) >= p * (n_i + totals[start]):
                            for j in range(start, min(start + part, stop)):
                                n = np.int64(acc[j])
                                if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                                    out[size] = _pack(order[i], order[j], n, bits)
                                    size += 1
                for j in range(low, low + block):
                    acc[j] = 0
        if not prune:
            for j in range(stop, masked):
                acc[j] = 0
        if counted > masked:
            for j in range(max(i + one, masked), limit):
                bit = j - masked
                n = np.int64(0)
                for level in range(levels):
                    n += np.int64((planes[bit >> np.uint64(6), level] >> (bit & np.uint64(63)) & one) << level)
                if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                    out[size] = _pack(order[i], order[j], n, bits)
                    size += 1
            planes[:, : max(levels, np.uint64(3))] = 0
    acc[n_latents] += sink & np.uint64(0)  # so that the touching is not optimised away
    return last, size


@compiled
def _touch(begin, end, postings, length, rows, words, masks):  # type: ignore[no-untyped-def]  # typed by numba
    """Load the lines that postings begin:end lead to, so that the misses overlap; write where their masks begin."""
    per_word = np.uint64(len(rows) // len(words))
    shift = np.uint64(2) if per_word == np.uint64(4) else np.uint64(1)
    sink, size = np.uint64(0), np.uint64(0)
    for e in range(begin, end):
        run = postings[e] >> length
        mask = (run + (postings[e] & ((np.uint64(1) << length) - np.uint64(1))) + per_word - np.uint64(1)) >> shift
        sink += np.uint64(rows[run]) + words[mask]
        masks[size] = mask
        size += np.uint64(1)
    masks[size : size + np.uint64(7)] = 0
    return sink


@compiled
def _add_masks(size, words, masks, planes, levels):  # type: ignore[no-untyped-def]  # typed by numba
    """Add masks: bit b of planes[w, level] is bit ``level`` of the counter of mask bit (w, b).

    Eight masks at a time through carry-save adders (Harley and Seal), whose carry goes through the higher planes.
    """
    for w in range(np.uint64(len(planes))):
        one, two, four = planes[w, 0], planes[w, 1], planes[w, 2]
        for k in range(np.uint64(0), size, np.uint64(8)):
            one, a = _add3(one, words[masks[k] + w], words[masks[k + np.uint64(1)] + w])
            one, b = _add3(one, words[masks[k + np.uint64(2)] + w], words[masks[k + np.uint64(3)] + w])
            two, x = _add3(two, a, b)
            one, a = _add3(one, words[masks[k + np.uint64(4)] + w], words[masks[k + np.uint64(5)] + w])
            one, b = _add3(one, words[masks[k + np.uint64(6)] + w], words[masks[k + np.uint64(7)] + w])
            two, y = _add3(two, a, b)
            four, carry = _add3(four, x, y)
            for level in range(np.uint64(3), levels):
                planes[w, level], carry = planes[w, level] ^ carry, planes[w, level] & carry
        planes[w, 0], planes[w, 1], planes[w, 2] = one, two, four


@compiled
def _add3(x, y, z):  # type: ignore[no-untyped-def]  # typed by numba
    """Sum and carry of three bits, in 64 places at once."""
    u = x ^ y
    return u ^ z, x & y | u & z


@compiled
def _count(begin, end, limit, postings, length, rows, acc):  # type: ignore[no-untyped-def]  # typed by numba
    """Raise the counters of the ranks below ``limit`` in the runs of postings begin:end."""
    for e in range(begin, end):
        run = postings[e] >> length
        for x in range(run, run + (postings[e] & ((np.uint64(1) << length) - np.uint64(1)))):
            j = rows[x]
            if j >= limit:
                break
            acc[j] += 1


@compiled
def _count_and_list(begin, end, stop, prune, postings, length, rows, acc, touched, n_touched):  # type: ignore[no-untyped-def]  # typed by numba
    """The same, and list the counters raised below ``stop``, each once; returns their number."""
    for e in range(begin, end):
        x = postings[e] >> length
        run_end = x + (postings[e] & ((np.uint64(1) << length) - np.uint64(1)))
        while x < run_end and rows[x] < stop:
            j = rows[x]
            touched[n_touched] = j
            n_touched += np.uint64(acc[j] == 0)
            acc[j] += 1
            x += np.uint64(1)
        if not prune:
            while x < run_end:
                acc[rows[x]] += 1
                x += np.uint64(1)
    return n_touched


@compiled
def _pack(x, y, n, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """Sortable: the smaller id in the highest bits, the larger id, the count."""
    a, b = np.uint64(min(x, y)), np.uint64(max(x, y))
    return ((a << np.uint64(bits)) | b) << np.uint64(64 - 2 * bits) | np.uint64(n)
