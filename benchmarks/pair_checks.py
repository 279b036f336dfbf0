"""Counts compared with those of other tools, or with a bitmap where no other tool can finish."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.cooccurrence.floor import Fraction
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts

Array = npt.NDArray[Any]


def check_equal(one: PairCounts, other: PairCounts) -> None:
    """Stop where two tools disagree."""
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def check_bitmaps(
    offsets: Array, ids: Array, pairs: PairCounts, *, n_latents: int, floor: Fraction, sampled: int
) -> dict[str, int]:
    """Count pairs by bitmaps of tokens: ``sampled`` of those kept, and as many that fire together on a random token.

    A kept pair must have this count; another pair must be among the kept ones, with this count, if it reaches the
    floor, and must not be there otherwise. Returns how many were compared, and how many of the others reach the floor.
    """
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(pairs.a), min(sampled, len(pairs.a)), replace=False)
    kept = np.stack([pairs.a[chosen], pairs.b[chosen]], axis=1).astype(np.int64)
    lengths = np.diff(offsets)
    token = rng.choice(np.flatnonzero(lengths > 1), sampled)
    first = rng.integers(0, lengths[token])
    second = (first + rng.integers(1, lengths[token])) % lengths[token]
    drawn = np.sort(np.stack([ids[offsets[token] + first], ids[offsets[token] + second]], axis=1).astype(np.int64))
    firings = np.bincount(ids, minlength=n_latents)
    places = np.concatenate([[0], np.cumsum(firings)])
    tokens = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[np.argsort(ids, kind="stable")]
    known = pairs.a.astype(np.int64) * n_latents + pairs.b
    p, q = floor
    reaching = 0
    for must_be_kept, (a, b) in [(True, pair) for pair in kept] + [(False, pair) for pair in drawn]:
        bitmap = np.zeros(len(lengths), bool)
        bitmap[tokens[places[a] : places[a + 1]]] = True
        n = int(np.count_nonzero(bitmap[tokens[places[b] : places[b + 1]]]))
        reaches = n * q >= p * int(firings[a] + firings[b] - n)
        place = int(np.searchsorted(known, a * n_latents + b))
        found = place < len(known) and known[place] == a * n_latents + b
        assert reaches == found and (reaches or not must_be_kept), (a, b, n)
        assert not found or pairs.n_ab[place] == n, (a, b, n)
        reaching += reaches and not must_be_kept
    return {"kept": len(kept), "drawn": len(drawn), "drawn_reaching": int(reaching)}
