"""The compiled part of the kernel: counts of a range of latents. The loop nest is explained in ``kernel``.

All functions and constants that it is made of stand in this file: machine code kept on disk is made anew when this file
changes, not when another does. Loops run over unsigned numbers: signed ones cost a test for negative indices.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.cpython.unsafe.numbers import trailing_zeros
from numba.extending import intrinsic

from coactivation_manifolds.compiled import compiled

NARROW = 255  # latents that fire no more often count in bytes
BLOCK, WIDE_BLOCK, WIDE_PART = 256, 64, 8  # counters read at once: in bytes, in 32 bits, and where those hold a pair
BATCH = 64  # visits whose masks are added at once
AHEAD, LINES = 16, 4  # how many visits before a visit its lines of cache are asked for, and how many
FEW = 4  # counters read in the time of one listed
LOW_BITS, HIGH_BITS = 0x0101010101010101, 0x8080808080808080  # of the bytes of a word


@compiled
def count_rows(  # type: ignore[no-untyped-def]  # typed by numba
    first, last, starts, postings, rows, words, n_words, first_masked, totals, work, order, p, q, prune,
    narrow, wide, planes, masks, touched, bits, out, size,
):  # fmt: skip
    """Count from ranks first, first + 1, ... until ``last`` or a full buffer; pairs found are appended to out[:size].

    Returns the next rank and the new size. Counters and ``planes`` are all zero before and after; the last BLOCK
    counters are padding that nothing raises.
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
                _add_masks(size_of_batch, words, masks, planes, levels)
        if few:
            for k in range(n_touched):
                j = np.uint64(touched[k])
                n = np.int64(narrow[j])
                if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                    out[size] = _pack(order[i], order[j], n, bits)
                    size += 1
                narrow[j] = 0
        elif n_i <= NARROW:
            size = _read_bytes(stop, narrow, out, size, i, p, q, totals, order, bits)
            narrow[stop:below] = 0
        else:
            size = _read_wide(stop, wide, out, size, i, p, q, totals, order, bits)
            wide[stop:below] = 0
        if counted > masked:
            size = _read_masks(masked, limit, planes, levels, out, size, i, p, q, totals, order, bits)
            planes[:, : max(levels, np.uint64(3))] = 0
    return last, size


@intrinsic
def _prefetch(_, array, place):  # type: ignore[no-untyped-def]  # called by numba
    """Ask for the line of cache that holds array[place], and go on."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # called by numba
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        of_line = builder.bitcast(builder.gep(data, [arguments[1]]), pointer)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [of_line, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, place), generate


@compiled
def _prefetch_visit(x, rows):  # type: ignore[no-untyped-def]  # typed by numba
    line = np.uint64(64 // rows.itemsize)
    for k in range(np.uint64(LINES)):
        _prefetch(rows, np.uint64(x) + k * line)  # type: ignore[call-arg]


@compiled
def _count(begin, n_visits, postings, rows, below, acc, masks):  # type: ignore[no-untyped-def]  # typed by numba
    """Raise the counters of the ranks under ``below`` in the runs; write where the masks of whole runs begin."""
    per_word, one, ahead = np.uint64(8 // rows.itemsize), np.uint64(1), np.uint64(AHEAD)
    for k in range(n_visits):
        _prefetch_visit(postings[begin + k + ahead], rows)
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
        _prefetch_visit(postings[begin + k + ahead], rows)
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
def _read_bytes(stop, acc, out, size, i, p, q, totals, order, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """Keep the pairs of counters of 8 bits, and clear: eight at a time where a block holds one that is large enough."""
    n_i = totals[i]
    words, block, eight, one = acc.view(np.uint64), np.uint64(BLOCK), np.uint64(8), np.uint64(1)
    for low in range((i + one) // eight * eight, stop, block):
        largest = acc[low]
        for j in range(low, low + block):
            largest = max(largest, acc[j])
        if largest > 0 and np.int64(largest) * (p + q) >= p * (n_i + totals[low]):
            least_bytes = np.uint64(_least(p, q, n_i + totals[low])) * np.uint64(LOW_BITS)
            for w in range(low // eight, (low + block) // eight):
                hits = _bytes_at_least(words[w], least_bytes)
                while hits:
                    j = w * eight + np.uint64(trailing_zeros(hits)) // eight  # type: ignore[call-arg, assignment]
                    n = np.int64(acc[j])
                    if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                        out[size] = _pack(order[i], order[j], n, bits)
                        size += 1
                    hits &= hits - one
        for j in range(low, low + block):
            acc[j] = 0
    return size


@compiled
def _bytes_at_least(x, y):  # type: ignore[no-untyped-def]  # typed by numba
    """The high bit of each byte of x that is not below the same byte of y."""
    high = np.uint64(HIGH_BITS)
    return (x & ~y | ~(x ^ y) & ((x | high) - (y & ~high))) & high


@compiled
def _read_wide(stop, acc, out, size, i, p, q, totals, order, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """The same for wider counters: in parts where a block holds one that is large enough."""
    n_i = totals[i]
    block, part = np.uint64(WIDE_BLOCK), np.uint64(WIDE_PART)
    for low in range(i + np.uint64(1), stop, block):
        largest = acc[low]
        for j in range(low, low + block):
            largest = max(largest, acc[j])
        if largest > 0 and np.int64(largest) * (p + q) >= p * (n_i + totals[low]):
            for begin in range(low, min(low + block, stop), part):
                largest = acc[begin]
                for j in range(begin, begin + part):
                    largest = max(largest, acc[j])
                if largest > 0 and np.int64(largest) * (p + q) >= p * (n_i + totals[begin]):
                    for j in range(begin, min(begin + part, stop)):
                        n = np.int64(acc[j])
                        if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                            out[size] = _pack(order[i], order[j], n, bits)
                            size += 1
        for j in range(low, low + block):
            acc[j] = 0
    return size


@compiled
def _read_masks(masked, limit, planes, levels, out, size, i, p, q, totals, order, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """Keep the pairs of the masks' counters: a comparison bit by bit, from the highest, of 64 at a time."""
    n_i = totals[i]
    one = np.uint64(1)
    for w in range(np.uint64(len(planes))):
        low = max(masked + w * np.uint64(64), i + one)
        end = masked + (w + one) * np.uint64(64)
        if low < min(end, limit):
            least = np.uint64(_least(p, q, n_i + totals[low]))
            above, hits = np.uint64(0), ~np.uint64(0)
            for down in range(levels):
                level = levels - one - down
                if least >> level & one:
                    hits &= planes[w, level]
                else:
                    above |= hits & planes[w, level]
            hits |= above
            while hits and least >> levels == 0:
                bit = np.uint64(trailing_zeros(hits))  # type: ignore[call-arg]
                hits &= hits - one
                j = masked + w * np.uint64(64) + bit
                n = np.int64(0)
                for level in range(levels):
                    n |= np.int64((planes[w, level] >> bit & one) << level)
                if j >= low and n * (p + q) >= p * (n_i + totals[j]):
                    out[size] = _pack(order[i], order[j], n, bits)
                    size += 1
    return size


@compiled
def _least(p, q, total):  # type: ignore[no-untyped-def]  # typed by numba
    """The smallest count, at least 1, with which two latents of ``total`` firings together reach the floor."""
    return max(np.int64(1), (p * total + p + q - 1) // (p + q))


@compiled
def _pack(x, y, n, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """Sortable: the smaller id in the highest bits, the larger id, the count."""
    a, b = np.uint64(min(x, y)), np.uint64(max(x, y))
    return ((a << np.uint64(bits)) | b) << np.uint64(64 - 2 * bits) | np.uint64(n)
