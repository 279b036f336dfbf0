"""Pairs of latents with their joint firings, and how they are packed into sortable numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


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


def unpack_pairs(packed: list[Array], n_latents: int) -> PairCounts:
    """Sort pairs packed as a, b, n_ab from the highest bits down (uint64), and take them apart."""
    bits = id_bits(n_latents)
    keys = np.concatenate([*packed, np.empty(0, np.uint64)])
    keys.sort()
    n_ab = (keys & np.uint64((1 << (64 - 2 * bits)) - 1)).view(np.int64)
    keys >>= np.uint64(64 - 2 * bits)
    b = keys.astype(np.uint32)
    b &= np.uint32((1 << bits) - 1)
    keys >>= np.uint64(bits)
    return PairCounts(keys.astype(np.uint32), b, n_ab)
