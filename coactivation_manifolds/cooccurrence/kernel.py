"""Exact pair counts of one shard, without a latents x latents matrix: the kernel and its plain reference.

For each latent i, rarest first; for each token t on which it fires; for each more frequent latent j of t: raise the
counter of j. Then read the counters once, keep the pairs that reach the floor, and clear. ``row_counts`` holds this
loop nest, its source and its bound. Around it:

- Latents are renumbered by ascending firing count, and each token becomes one record in the new order
  (``ranked_postings``).
- The most frequent latents, some hundred with half of all increments, stand on each token as a mask of bits. Masks are
  added 64 counters at a time by carry-save adders: a visit costs a few operations a word, however many bits are set.
- Counters are read in blocks by one vectorised maximum against the smallest count that a pair of the block needs:
  n q >= p (n_i + n_j - n) is n (p + q) >= p (n_i + n_j), and n_j ascends. Blocks of latents so frequent that
  n_i / n_j < p / q are cleared unread: no Jaccard exceeds n_i / n_j. With ``prune`` they are not counted either.
  Within a block, eight counters of a byte, or one bit of 64 masked ones, are compared by one operation.
- Pairs found are put into buckets of neighbouring ids, each of which is sorted in cache (``pair_counts``).

Memory: 6 bytes an entry (8 above 65,536 latents), some 50 a token, 13 a latent and thread, 32 for each pair kept.
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

from coactivation_manifolds.cooccurrence.floor import Fraction
from coactivation_manifolds.cooccurrence.kept_pairs import BLOCK
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts, id_bits, max_packed_tokens, unpack_pairs
from coactivation_manifolds.cooccurrence.ranked_postings import RankedPostings, rank_postings
from coactivation_manifolds.cooccurrence.row_counts import BATCH, FEW, count_rows
from coactivation_manifolds.errors import InputError

Array = npt.NDArray[Any]

OUTPUT_ROWS, CHUNKS_PER_THREAD = 1 << 19, 16
VISIT = 16  # increments that take as long as visiting a token


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
        return PairCounts(np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(0, np.int64))
    with ThreadPoolExecutor(threads) as pool:
        postings = rank_postings(offsets, feature_ids, n_latents=n_latents, pool=pool, threads=threads)
        cost = np.cumsum(postings.work + VISIT * postings.totals + n_latents // FEW)
        shares = np.linspace(0, cost[-1], threads * CHUNKS_PER_THREAD + 1)[1:-1]
        awake = np.searchsorted(postings.totals, 0, side="right")
        cuts = np.unique(np.concatenate([[awake, n_latents], np.searchsorted(cost, shares).clip(awake)])).tolist()
        chunks = SimpleQueue[tuple[int, int]]()
        for chunk in pairwise(cuts):
            chunks.put(chunk)
        workers = [pool.submit(_count_chunks, chunks, postings, floor, prune) for _ in range(threads)]
        found = [part for worker in workers for part in worker.result()]
        return unpack_pairs(found, n_latents, pool=pool, threads=threads)


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
    narrow, wide = np.zeros(n_latents // 8 * 8 + BLOCK + 8, np.uint8), np.zeros(n_latents + BLOCK, np.uint32)
    planes = np.zeros((postings.n_words, 32), np.uint64)
    masks = np.zeros(BATCH + 7, np.uint64)
    touched = np.empty(n_latents + 1, np.uint32)
    out, size = np.empty(n_latents + OUTPUT_ROWS, np.uint64), 0
    found = []
    with suppress(Empty):
        while True:
            first, last = chunks.get_nowait()
            while first < last:
                state = (narrow, wide, planes, masks, touched, id_bits(n_latents), out, size)
                first, size = count_rows(first, last, *postings, *floor, prune, *state)
                if first < last:
                    found.append(out[:size])
                    out, size = np.empty_like(out), 0
    return [*found, out[:size]]
