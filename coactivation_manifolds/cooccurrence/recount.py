"""Pass 2: exact counts, in one shard, of the candidate pairs that this shard did not keep in pass 1.

The more frequent latent of a pair is marked token by token once for all its partners; each rarer partner's postings are
then looked up in the marks. The work is the sum of the rarer latents' firings, small beside pass 1.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.activations.shard_firings import read_firings
from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.cooccurrence.candidates import most_unkept
from coactivation_manifolds.cooccurrence.floor import exact_fraction
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.cooccurrence.pair_files import (
    counts_table,
    pair_keys,
    split_keys,
    stated_floor,
    write_pair_counts,
)
from coactivation_manifolds.cooccurrence.prefetch import prefetch_lines
from coactivation_manifolds.cooccurrence.ranked_postings import count_ids, readonly
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.storage import PathLike, damaged, open_table, read_array

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]

CHUNKS_PER_THREAD = 8
CANDIDATES_AT_ONCE = 1 << 20
AHEAD, LINES = 3, 6  # how many pairs before its turn a pair's postings are asked for, and how many lines of cache


def recount_shard(
    manifest_path: PathLike,
    *,
    counts_path: PathLike,
    marginals_path: PathLike,
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
    counts_path, marginals_path
        The shard's pair counts and firings of pass 1.
    candidates_path
        The pairs of all shards that can reach the floor.
    positions
        The window of pass 1.
    threads
        The result does not depend on it.
    recount_path
        ``schemas.PAIR_COUNTS``.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged, or the shard is not the one that was counted.

    """
    a, b = pairs_to_recount(counts_path, marginals_path, candidates_path)
    joint = np.zeros(0, np.int64)
    if len(a):
        marginals = read_array(marginals_path)
        firings = read_firings(manifest_path, positions=positions, threads=threads)
        sizes = count_ids(*map(readonly, firings), 0, len(firings.offsets) - 1, len(marginals))
        if (sizes != marginals).any():
            raise ResultsError(
                f"{manifest_path}: the shard was changed after it was counted; delete {counts_path} and run the same "
                "command again"
            )
        joint = count_given_pairs(*firings, a, b, sizes=sizes, threads=threads)
    fire = joint > 0
    logger.info("%s: %d candidates recounted, %d fire", manifest_path, len(a), int(fire.sum()))
    write_pair_counts(PairCounts(a[fire], b[fire], joint[fire]), recount_path)


def pairs_to_recount(
    counts_path: PathLike, marginals_path: PathLike, candidates_path: PathLike
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The candidates that a shard did not keep, but for those that it would have kept for a single joint firing.

    Ordered by (a, b); memory is that of the candidates, 8 bytes each, and of those that are given back.
    """
    stated = stated_floor(counts_path)
    floor = None if stated is None else exact_fraction(stated, name="jaccard_floor")
    marginals = read_array(marginals_path)
    counted = counts_table(counts_path)
    counted_keys = pair_keys(counted.a, counted.b)
    found = [np.zeros(0, np.uint64)]
    with open_table(candidates_path) as parquet:
        try:
            for batch in parquet.iter_batches(batch_size=CANDIDATES_AT_ONCE, columns=["feature_a", "feature_b"]):
                a, b = batch["feature_a"].to_numpy(), batch["feature_b"].to_numpy()
                if floor is not None:
                    possible = most_unkept(marginals[a], marginals[b], floor) > 0
                    a, b = a[possible], b[possible]
                keys = pair_keys(a, b)
                place = np.searchsorted(counted_keys, keys)
                known = place < len(counted_keys)
                known[known] = counted_keys[place[known]] == keys[known]
                found.append(keys[~known])
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(candidates_path, error) from error
    return split_keys(np.concatenate(found))


def count_given_pairs(
    offsets: Array, feature_ids: Array, a: Array, b: Array, *, sizes: Array, threads: int = 1
) -> npt.NDArray[np.int64]:
    """Joint firings of the given pairs, int64 [pairs].

    Parameters
    ----------
    offsets, feature_ids
        Token-major CSR, int64 [n_tokens + 1] and unsigned ids [n_entries], unique within a token.
    a, b
        Latents of each pair.
    sizes
        Firings of each latent, int64 [n_latents].
    threads
        The result does not depend on it.

    """
    n_tokens = len(offsets) - 1
    joint = np.zeros(len(a), np.int64)
    if len(a) == 0 or len(feature_ids) == 0:
        return joint
    wanted = np.zeros(len(sizes), np.bool_)
    wanted[a] = wanted[b] = True
    sizes = np.where(wanted, sizes, 0)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    postings = np.empty(sizes.sum() + 1, np.uint32 if n_tokens < 1 << 32 else np.int64)
    a_is_rarer = sizes[a] < sizes[b]
    rarer, marked = np.where(a_is_rarer, a, b).astype(np.int64), np.where(a_is_rarer, b, a).astype(np.int64)
    order = np.argsort(marked, kind="stable")
    rarer, marked = rarer[order], marked[order]
    cost = np.cumsum(sizes[rarer] + 1)
    shares = np.linspace(0, cost[-1], threads * CHUNKS_PER_THREAD + 1)[1:-1]
    cuts = np.unique(np.concatenate([[0], np.searchsorted(cost, shares), [len(rarer)]]))
    counts = np.zeros(len(rarer), np.int64)

    def count(k: int) -> None:
        marks = np.zeros(n_tokens, np.uint8)
        _intersect(cuts[k], cuts[k + 1], rarer, marked, starts, postings, marks, counts)

    with ThreadPoolExecutor(threads) as pool:
        _list_all_postings(readonly(offsets), readonly(feature_ids), wanted, starts[:-1], postings, pool, threads)
        list(pool.map(count, range(len(cuts) - 1)))
    joint[order] = counts
    return joint


def _list_all_postings(
    offsets: Array, ids: Array, wanted: Array, starts: Array, postings: Array, pool: ThreadPoolExecutor, threads: int
) -> None:
    """The tokens on which each wanted latent fires, in order, from its start on; each thread lists its own tokens.

    The others are all listed in the last place: half of the entries are, and a branch would be guessed wrong as often.
    """
    steps = wanted.astype(np.uint8)
    spans = list(pairwise(np.linspace(0, len(offsets) - 1, threads + 1).astype(np.int64)))
    sizes = list(pool.map(lambda span: count_ids(offsets, ids, *span, len(wanted)), spans[:-1]))
    places = np.where(wanted, np.cumsum([starts, *sizes], axis=0), len(postings) - 1).astype(np.uint64)
    list(pool.map(lambda span, cursor: _list_postings(offsets, ids, *span, steps, cursor, postings), spans, places))


@compiled
def _list_postings(offsets, ids, first, last, steps, cursor, postings):  # type: ignore[no-untyped-def]  # typed by numba
    """The tokens in [first, last) on which each latent fires, each a step after the one before, from ``cursor`` on."""
    one = np.uint64(1)
    for t in range(np.uint64(first), np.uint64(last)):
        for entry in range(np.uint64(offsets[t]), np.uint64(offsets[t + one])):
            latent = ids[entry]
            place = cursor[latent]
            postings[place] = t
            cursor[latent] = place + steps[latent]


@compiled
def _intersect(first, last, rarer, marked, starts, postings, marks, counts):  # type: ignore[no-untyped-def]  # typed by numba
    """Count pairs first:last, which are grouped by their marked latent; ``marks`` is all zero before."""
    current = np.int64(-1)
    for pair in range(first, last):
        prefetch_lines(postings, starts[rarer[min(pair + AHEAD, last - 1)]], LINES)
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
