"""Pass 2: exact counts, in one shard, of the candidate pairs that this shard did not keep in pass 1.

The more frequent latent of a pair is marked token by token once for all its partners; each rarer partner's postings are
then looked up in the marks. The work is the sum of the rarer latents' firings, small beside pass 1.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.activation_reader import read_shard
from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.cooccurrence.pair_files import counts_table, pair_keys, write_pair_counts
from coactivation_manifolds.storage import PathLike, read_table

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]

CHUNKS_PER_THREAD = 8


def recount_shard(
    manifest_path: PathLike,
    *,
    counts_path: PathLike,
    candidates_path: PathLike,
    positions: Sequence[int] | None,
    threads: int,
    recount_path: PathLike,
) -> None:
    """Write this shard's counts of the candidates that it did not keep; pairs that never fire together are left out.

    Parameters
    ----------
    manifest_path
        The shard's ``manifest.json``.
    counts_path
        The shard's pair counts of pass 1.
    candidates_path
        The union of all shards' pairs.
    positions
        The window of pass 1.
    threads
        The result does not depend on it.
    recount_path
        ``schemas.PAIR_COUNTS``.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged.

    """
    table = read_table(candidates_path, columns=["feature_a", "feature_b"])
    a, b = table["feature_a"].to_numpy(), table["feature_b"].to_numpy()
    counted = counts_table(counts_path)
    missing = np.isin(pair_keys(a, b), pair_keys(counted.a, counted.b), assume_unique=True, invert=True)
    rows = read_shard(manifest_path).in_positions(positions)
    found = count_given_pairs(
        rows.offsets, rows.feature_ids, a[missing], b[missing], n_latents=rows.n_latents, threads=threads
    )
    fired = found > 0
    pairs = PairCounts(a[missing][fired], b[missing][fired], found[fired])
    logger.info("%s: %d of %d candidates recounted, %d fire", manifest_path, len(found), len(a), len(pairs.a))
    write_pair_counts(pairs, recount_path)


def count_given_pairs(
    offsets: Array, feature_ids: Array, a: Array, b: Array, *, n_latents: int, threads: int = 1
) -> npt.NDArray[np.int64]:
    """Joint firings of the given pairs, int64 [pairs].

    Parameters
    ----------
    offsets, feature_ids
        Token-major CSR, int64 [n_tokens + 1] and unsigned ids [n_entries], unique within a token.
    a, b
        Latents of each pair.
    n_latents, threads
        Ids are below n_latents; the result does not depend on threads.

    """
    n_tokens = len(offsets) - 1
    joint = np.zeros(len(a), np.int64)
    if len(a) == 0 or len(feature_ids) == 0:
        return joint
    wanted = np.zeros(n_latents, np.bool_)
    wanted[a] = wanted[b] = True
    sizes = np.bincount(feature_ids, minlength=n_latents)
    sizes[~wanted] = 0
    starts = np.concatenate([[0], np.cumsum(sizes)])
    postings = np.empty(starts[-1], np.uint32 if n_tokens < 1 << 32 else np.int64)
    a_is_rarer = sizes[a] < sizes[b]
    rarer, marked = np.where(a_is_rarer, a, b).astype(np.int64), np.where(a_is_rarer, b, a).astype(np.int64)
    order = np.argsort(marked, kind="stable")
    rarer, marked = rarer[order], marked[order]
    offsets, feature_ids = np.array(offsets, np.int64), np.array(feature_ids)
    _list_postings(offsets, feature_ids, wanted, starts[:-1].copy(), postings)
    cost = np.cumsum(sizes[rarer] + 1)
    shares = np.linspace(0, cost[-1], threads * CHUNKS_PER_THREAD + 1)[1:-1]
    cuts = np.unique(np.concatenate([[0], np.searchsorted(cost, shares), [len(rarer)]]))
    counts = np.zeros(len(rarer), np.int64)

    def count(k: int) -> None:
        marks = np.zeros(n_tokens, np.uint8)
        _intersect(cuts[k], cuts[k + 1], rarer, marked, starts, postings, marks, counts)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(count, range(len(cuts) - 1)))
    joint[order] = counts
    return joint


@compiled
def _list_postings(offsets, ids, wanted, cursor, postings):  # type: ignore[no-untyped-def]  # typed by numba
    """The tokens on which each wanted latent fires, in order, from ``cursor`` on."""
    for t in range(len(offsets) - 1):
        for entry in range(offsets[t], offsets[t + 1]):
            latent = ids[entry]
            if wanted[latent]:
                postings[cursor[latent]] = t
                cursor[latent] += 1


@compiled
def _intersect(first, last, rarer, marked, starts, postings, marks, counts):  # type: ignore[no-untyped-def]  # typed by numba
    """Count pairs first:last, which are grouped by their marked latent; ``marks`` is all zero before."""
    current = np.int64(-1)
    for pair in range(first, last):
        if marked[pair] != current:
            if current >= 0:
                for e in range(starts[current], starts[current + 1]):
                    marks[postings[e]] = 0
            current = marked[pair]
            for e in range(starts[current], starts[current + 1]):
                marks[postings[e]] = 1
        latent = rarer[pair]
        total = np.int64(0)
        for e in range(starts[latent], starts[latent + 1]):
            total += marks[postings[e]]
        counts[pair] = total
