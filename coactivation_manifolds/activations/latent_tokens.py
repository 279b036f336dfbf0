"""The tokens that each latent fires on most: a first idea of what it stands for."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.posting_lists import LatentRange
from coactivation_manifolds.activations.token_rows import NULL
from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.schemas import LATENT_TOKENS, conform
from coactivation_manifolds.storage import PathLike, write_table

ENTRIES_AT_ONCE = 4_000_000
"""Postings in memory, of which a copy in float32 is made."""

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]


def rank_latent_tokens(index: FeatureIndex, *, n_tokens: int, latent_tokens_path: PathLike) -> None:
    """Write latent_tokens.parquet: for each latent the ``n_tokens`` token ids that it fires on most often.

    Ordered by (feature_id, rank); rank 1 is the most frequent, of equal counts the smaller token_id comes first.
    ``mean_activation`` is over the firings on that token. Tokens without an id are left out; where no token has one the
    table is empty.
    """
    distinct, kinds = np.unique(index.token_ids(), return_inverse=True)
    kinds = kinds.astype(np.int32)
    parts = [rank_kinds(part, kinds, distinct, limit=n_tokens) for part in index.iter_latents(entries=ENTRIES_AT_ONCE)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in LATENT_TOKENS.names}
    if index.n_tokens and not np.any(distinct != NULL):
        logger.warning("the activations have no token ids, so latent_tokens.parquet is empty and latents have no names")
    write_table(conform(columns, LATENT_TOKENS), latent_tokens_path)


def rank_kinds(postings: LatentRange, kinds: Array, distinct: Array, *, limit: int) -> dict[str, Array]:
    """The columns of latent_tokens.parquet for a range of latents.

    Token row t holds the id distinct[kinds[t]]; ``distinct`` ascends.
    """
    n_latents = len(postings.starts) - 1
    limit = min(limit, len(distinct), int(np.diff(postings.starts).max()))
    length = np.zeros(n_latents, np.int64)
    best = np.empty((n_latents, limit), np.int64)
    count = np.empty((n_latents, limit), np.int64)
    mean = np.empty((n_latents, limit), np.float64)
    # numba does not know float16
    values = postings.values.astype(np.float32)
    _rank(postings.starts, postings.token_rows, values, kinds, distinct, length, best, count, mean)
    rank = np.tile(np.arange(limit), (n_latents, 1))
    filled = rank < length[:, None]
    return {
        "feature_id": np.repeat(postings.first + np.arange(n_latents), length),
        "rank": (rank[filled] + 1).astype(np.int32),
        "token_id": distinct[best[filled]],
        "count": count[filled],
        "mean_activation": mean[filled],
    }


@compiled
def _rank(starts, token_rows, values, kinds, distinct, length, best, count, mean):  # type: ignore[no-untyped-def]  # typed by numba
    """Count the kinds of tokens under each latent, and keep the most frequent, of equal ones the first.

    float64 holds sums of float16 exactly up to 2^29, so the order of addition hardly matters.
    """
    limit = best.shape[1]
    counts, sums = np.zeros(len(distinct), np.int64), np.zeros(len(distinct))
    met = np.empty(len(distinct), np.int64)
    for f in range(len(starts) - 1):
        n_met = 0
        for entry in range(starts[f], starts[f + 1]):
            kind = kinds[token_rows[entry]]
            if counts[kind] == 0:
                met[n_met] = kind
                n_met += 1
            counts[kind] += 1
            sums[kind] += values[entry]
        for kind in met[:n_met]:
            n, total = counts[kind], sums[kind]
            counts[kind], sums[kind] = 0, 0.0
            if distinct[kind] < 0:
                continue
            place = length[f]
            while place > 0 and (count[f, place - 1] < n or (count[f, place - 1] == n and best[f, place - 1] > kind)):
                place -= 1
            if place == limit:
                continue
            length[f] = min(length[f] + 1, limit)
            for behind in range(length[f] - 1, place, -1):
                best[f, behind], count[f, behind] = best[f, behind - 1], count[f, behind - 1]
                mean[f, behind] = mean[f, behind - 1]
            best[f, place], count[f, place], mean[f, place] = kind, n, total / n
