"""Counts of the most frequent latents, which stand on each token as a mask of bits: 64 counters in a few words.

Bit b of planes[w, level] is bit ``level`` of the counter of mask bit (w, b), so one operation on a word adds to 64
counters, or compares them, however many of them are raised.
"""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.cooccurrence.kept_pairs import fewest_joint, pack


@compiled
def add_masks(size, words, masks, planes, levels):  # type: ignore[no-untyped-def]  # typed by numba
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
def read_masks(masked, limit, planes, levels, out, size, i, p, q, totals, order, bits):  # type: ignore[no-untyped-def]  # typed by numba
    """Keep the pairs of the masks' counters: a comparison bit by bit, from the highest, of 64 at a time."""
    n_i = totals[i]
    one = np.uint64(1)
    for w in range(np.uint64(len(planes))):
        low = max(masked + w * np.uint64(64), i + one)
        end = masked + (w + one) * np.uint64(64)
        if low < min(end, limit):
            least = np.uint64(fewest_joint(p, q, n_i + totals[low]))
            above, hits = np.uint64(0), ~np.uint64(0)
            for down in range(levels):
                level = levels - one - down
                if least >> level & one:
                    hits &= planes[w, level]
                else:
                    above |= hits & planes[w, level]
            hits |= above
            while hits and least >> levels == 0:
                bit = np.uint64(trailing_zeros(hits))  # type: ignore[call-arg]  # numba's intrinsic
                hits &= hits - one
                j = masked + w * np.uint64(64) + bit
                n = np.int64(0)
                for level in range(levels):
                    n |= np.int64((planes[w, level] >> bit & one) << level)
                if j >= low and n * (p + q) >= p * (n_i + totals[j]):
                    out[size] = pack(order[i], order[j], n, bits)
                    size += 1
    return size
