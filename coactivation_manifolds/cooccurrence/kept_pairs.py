"""Reading a latent's counters: which pairs reach the floor, several compared by one operation; all are left zero.

A pair of i and j reaches it with n q >= p (n_i + n_j - n), which is n (p + q) >= p (n_i + n_j). Counters stand by rank,
and totals ascend with it: what is too few for the first rank of a block is too few for all that follow in it.
"""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from coactivation_manifolds.compiled import compiled

BLOCK, WIDE_BLOCK, WIDE_PART = 256, 64, 8  # counters read at once: in bytes, in 32 bits, and where those hold a pair
LOW_BITS, HIGH_BITS = 0x0101010101010101, 0x8080808080808080  # of the bytes of a word


@compiled
def read_bytes(stop, acc, out, size, i, p, q, totals, order, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """Keep the pairs of counters of 8 bits, and clear: eight at a time where a block holds one that is large enough."""
    n_i = totals[i]
    words, block, eight, one = acc.view(np.uint64), np.uint64(BLOCK), np.uint64(8), np.uint64(1)
    for low in range((i + one) // eight * eight, stop, block):
        largest = acc[low]
        for j in range(low, low + block):
            largest = max(largest, acc[j])
        if largest > 0 and np.int64(largest) * (p + q) >= p * (n_i + totals[low]):
            least_bytes = np.uint64(fewest_joint(p, q, n_i + totals[low])) * np.uint64(LOW_BITS)
            for w in range(low // eight, (low + block) // eight):
                hits = _bytes_at_least(words[w], least_bytes)
                while hits:
                    j = w * eight + np.uint64(trailing_zeros(hits)) // eight  # type: ignore[call-arg, assignment]  # numba's intrinsic
                    n = np.int64(acc[j])
                    if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                        out[size] = pack(order[i], order[j], n, bits)
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
def read_wide(stop, acc, out, size, i, p, q, totals, order, bits):  # type: ignore[no-untyped-def]  # typed by numba
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
                            out[size] = pack(order[i], order[j], n, bits)
                            size += 1
        for j in range(low, low + block):
            acc[j] = 0
    return size


@compiled
def fewest_joint(p, q, total):  # type: ignore[no-untyped-def]  # typed by numba
    """The smallest count, at least 1, with which two latents of ``total`` firings together reach the floor."""
    return max(np.int64(1), (p * total + p + q - 1) // (p + q))


@compiled
def pack(x, y, n, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """Sortable: the smaller id in the highest bits, the larger id, the count."""
    a, b = np.uint64(min(x, y)), np.uint64(max(x, y))
    return ((a << np.uint64(bits)) | b) << np.uint64(64 - 2 * bits) | np.uint64(n)
