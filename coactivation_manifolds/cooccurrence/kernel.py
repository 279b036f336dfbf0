"""Exact pair counts of one shard, without a latents x latents matrix: the kernel and its plain reference.

For each latent i, rarest first, and each token t on which it fires, one counter is raised for every more frequent
latent j of t; then the counters are read once, the pairs that reach the floor are kept, and the counters cleared
(Gustavson's row-wise sparse product, ACM Trans. Math. Softw. 4, 1978, for the upper triangle of A^T A with A the binary
tokens x latents matrix). The work is one increment for each pair of latents on each token. What makes it fast:

- Latents are renumbered by ascending firing count and each token's latents stand in that order, so a pair is counted
  from its rarer latent: few visits, each a long run; the counters raised are those of frequent latents, which stay in
  cache. A posting holds where the rest of its token's run starts and how long it is.
- Visits come in batches whose cache lines are touched together before counting, so that cache misses overlap.
- Counters are read in blocks by one vectorised maximum against the smallest count that a pair of the block needs:
  n q >= p (n_i + n_j - n) is n (p + q) >= p (n_i + n_j), and n_j ascends. A latent with little work lists the counters
  it touched instead.
- With ``prune``, a run ends at the first j too frequent for n_i / n_j >= p / q: no Jaccard exceeds n_i / n_j.

Memory: 8 bytes an entry (12 above 65,536 latents), 8 a latent and thread for counters, 8 for each pair kept.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import combinations, pairwise
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.cooccurrence.compiled import compiled
from coactivation_manifolds.cooccurrence.floor import Fraction
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts, id_bits, max_packed_tokens, unpack_pairs
from coactivation_manifolds.cooccurrence.ranked_postings import RankedPostings, rank_postings
from coactivation_manifolds.errors import InputError

Array = npt.NDArray[Any]

BLOCK, BATCH, FEW = 64, 64, 16  # counters read at once, visits touched at once, counters read in the time of one listed
OUTPUT_ROWS, CHUNKS_PER_THREAD = 1 << 18, 16


def count_pairs(
    offsets: Array, feature_ids: Array, *, n_latents: int, floor: Fraction, threads: int = 1, prune: bool = True
) -> PairCounts:
    """Joint firings of every pair whose Jaccard within these tokens reaches the floor.

    Parameters
    ----------
    offsets, feature_ids
        Token-major CSR: token t fires feature_ids[offsets[t]:offsets[t + 1]], unique within a token, in any order;
        int64[n_tokens + 1] and uint16 or uint32[n_entries].
    n_latents
        Number of latents F; ids are below it.
    floor
        (p, q): pairs with n_ab q >= p (n_a + n_b - n_ab) and n_ab >= 1 are kept.
    threads
        The result does not depend on it.
    prune
        Leave out increments of pairs that can't reach the floor; the result does not depend on it.

    Raises
    ------
    InputError
        More tokens than fit in 64 bits beside two ids (2^31 at 65,536 latents, 2^24 at a million).

    """
    n_tokens = len(offsets) - 1
    if n_tokens > max_packed_tokens(n_latents):
        raise InputError(f"a shard of {n_tokens} tokens is too long for {n_latents} latents: cut it into more shards")
    if len(feature_ids) == 0:
        return unpack_pairs([], n_latents)
    with ThreadPoolExecutor(threads) as pool:
        postings = rank_postings(offsets, feature_ids, n_latents=n_latents, pool=pool, threads=threads)
        cost = np.cumsum(postings.work + n_latents // FEW)
        shares = np.linspace(0, cost[-1], threads * CHUNKS_PER_THREAD + 1)[1:-1]
        cuts = np.unique(np.concatenate([[0], np.searchsorted(cost, shares), [n_latents]])).tolist()
        chunks = SimpleQueue[tuple[int, int]]()
        for chunk in pairwise(cuts):
            chunks.put(chunk)
        workers = [pool.submit(_count_chunks, chunks, postings, floor, prune) for _ in range(threads)]
        return unpack_pairs([part for worker in workers for part in worker.result()], n_latents)


def count_pairs_reference(
    offsets: Array, feature_ids: Array, *, n_latents: int, floor: Fraction, threads: int = 1, prune: bool = True
) -> PairCounts:
    """The same result as ``count_pairs`` from a dictionary of all pairs; for tests and small inputs."""
    p, q = floor
    tokens = [sorted(feature_ids[start:end].tolist()) for start, end in pairwise(offsets)]
    firings = Counter(latent for token in tokens for latent in token)
    joint = Counter(pair for token in tokens for pair in combinations(token, 2))
    kept = sorted((a, b, n) for (a, b), n in joint.items() if n * q >= p * (firings[a] + firings[b] - n))
    a, b, n = np.array(kept, np.int64).reshape(-1, 3).T
    return PairCounts(a.astype(np.uint32), b.astype(np.uint32), n.copy())


def _count_chunks(
    chunks: SimpleQueue[tuple[int, int]], postings: RankedPostings, floor: Fraction, prune: bool
) -> list[Array]:
    """Take chunks until none is left: packed pairs whose rarer latent has a rank in first:last, in no order."""
    n_latents = len(postings.totals)
    acc = np.zeros(n_latents + BLOCK, np.int32)
    touched = np.empty(n_latents + 1, np.uint32)
    out = np.empty(n_latents + OUTPUT_ROWS, np.uint64)
    found = []
    with suppress(Empty):
        while True:
            first, last = chunks.get_nowait()
            while first < last:
                first, size = _count_rows(first, last, *postings, *floor, prune, acc, touched, out, id_bits(n_latents))
                found.append(out[:size].copy())
    return found


@compiled
def _count_rows(  # type: ignore[no-untyped-def]
    first, last, starts, run_start, run_length, rows, totals, work, order, p, q, prune, acc, touched, out, bits
):
    """Count from ranks first, first + 1, ... until ``last`` or a full buffer; returns the next rank and pairs found.

    ``acc`` is all zero before and after; its last BLOCK counters are padding that nothing raises. Loops run over
    unsigned numbers: signed ones cost a test for negative indices.
    """
    n_latents, one, block = np.uint64(len(totals)), np.uint64(1), np.uint64(BLOCK)
    size, sink = 0, np.uint64(0)
    for i in range(np.uint64(first), np.uint64(last)):
        if size + len(totals) - i > len(out):
            return np.int64(i), size
        n_i, begin, end = totals[i], np.uint64(starts[i]), np.uint64(starts[i + one])
        limit = n_latents
        if prune and p > 0:
            limit = np.uint64(np.searchsorted(totals, n_i * q // p, side="right"))
        if work[i] * FEW < np.int64(limit) - np.int64(i):
            for k in range(_count_and_list(begin, end, limit, run_start, run_length, rows, acc, touched)):
                j = touched[k]
                n = np.int64(acc[j])
                acc[j] = np.int32(0)
                if n * (p + q) >= p * (n_i + totals[j]):
                    out[size] = _pack(order[i], order[j], n, bits)
                    size += 1
            continue
        for batch in range(begin, end, np.uint64(BATCH)):
            sink += _count(batch, min(batch + np.uint64(BATCH), end), limit, run_start, run_length, rows, acc)
        for low in range(i + one, limit, block):
            largest = np.int32(0)
            for j in range(low, low + block):
                largest = max(largest, acc[j])
            if largest > 0 and largest * (p + q) >= p * (n_i + totals[low]):
                for j in range(low, min(low + block, limit)):
                    n = np.int64(acc[j])
                    if n > 0 and n * (p + q) >= p * (n_i + totals[j]):
                        out[size] = _pack(order[i], order[j], n, bits)
                        size += 1
            for j in range(low, low + block):
                acc[j] = np.int32(0)
    acc[n_latents] += np.int32(sink & np.uint64(0))  # so that the touching in _count is not optimised away
    return last, size


@compiled
def _count(begin, end, limit, run_start, run_length, rows, acc):  # type: ignore[no-untyped-def]
    """Raise the counters of the ranks below ``limit`` in the runs of postings begin:end."""
    sink = np.uint64(0)
    for e in range(begin, end):
        run = np.uint64(run_start[e])
        sink += np.uint64(rows[run]) + np.uint64(rows[run + np.uint64(run_length[e] >> 1)])
    for e in range(begin, end):
        run = np.uint64(run_start[e])
        for x in range(run, run + np.uint64(run_length[e])):
            j = rows[x]
            if j >= limit:
                break
            acc[j] += np.int32(1)
    return sink


@compiled
def _count_and_list(begin, end, limit, run_start, run_length, rows, acc, touched):  # type: ignore[no-untyped-def]
    """The same, and list the counters raised, each once; returns their number."""
    n_touched = np.uint64(0)
    for e in range(begin, end):
        run = np.uint64(run_start[e])
        for x in range(run, run + np.uint64(run_length[e])):
            j = rows[x]
            if j >= limit:
                break
            touched[n_touched] = j
            n_touched += np.uint64(acc[j] == 0)
            acc[j] += np.int32(1)
    return n_touched


@compiled
def _pack(x, y, n, bits):  # type: ignore[no-untyped-def]
    """Sortable: the smaller id in the highest bits, the larger id, the count."""
    a, b = np.uint64(min(x, y)), np.uint64(max(x, y))
    return ((a << np.uint64(bits)) | b) << np.uint64(64 - 2 * bits) | np.uint64(n)
