"""The tokens that each latent fires on most: a first idea of what it stands for."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.token_rows import NULL
from coactivation_manifolds.schemas import LATENT_TOKENS, conform
from coactivation_manifolds.storage import PathLike, write_table

logger = logging.getLogger(__name__)

COLUMNS = ("feature_id", "rank", "token_id", "count", "mean_activation")


def rank_latent_tokens(index: FeatureIndex, *, n_tokens: int, latent_tokens_path: PathLike) -> None:
    """Write latent_tokens.parquet: for each latent the ``n_tokens`` token ids that it fires on most often.

    Ordered by (feature_id, rank); rank 1 is the most frequent, of equal counts the smaller token_id comes first.
    ``mean_activation`` is over the firings on that token. Tokens without an id are left out; where no token has one the
    table is empty.
    """
    ids = index.token_ids(np.arange(index.n_tokens))
    ranked = [
        rank_tokens(*_postings(index, int(latent), ids), limit=n_tokens) for latent in np.flatnonzero(index.counts)
    ]
    latents = np.repeat(np.flatnonzero(index.counts), [len(tokens) for tokens, _, _ in ranked])
    columns: dict[str, Any] = {
        "feature_id": latents,
        "rank": np.concatenate([[], *(np.arange(1, len(tokens) + 1) for tokens, _, _ in ranked)]).astype(np.int32),
        "token_id": np.concatenate([[], *(tokens for tokens, _, _ in ranked)]).astype(np.int32),
        "count": np.concatenate([[], *(counts for _, counts, _ in ranked)]).astype(np.int64),
        "mean_activation": np.concatenate([[], *(means for _, _, means in ranked)]).astype(np.float64),
    }
    if index.n_tokens and not np.any(ids != NULL):
        logger.warning("the activations have no token ids, so latent_tokens.parquet is empty and latents have no names")
    write_table(conform(columns, LATENT_TOKENS), latent_tokens_path)


def rank_tokens(
    tokens: npt.NDArray[np.int32], values: npt.NDArray[np.float16], *, limit: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The ``limit`` most frequent of ``tokens``, their counts, and the means of ``values`` over each."""
    distinct, inverse, counts = np.unique(tokens, return_inverse=True, return_counts=True)
    # distinct ids ascend, so a stable sort by falling count breaks ties by the smaller id
    best = np.argsort(-counts, kind="stable")[:limit]
    # float64 holds sums of float16 exactly up to 2^29, so the order of addition hardly matters
    sums = np.bincount(inverse, values.astype(np.float64), minlength=len(distinct))
    return distinct[best], counts[best], sums[best] / counts[best]


def _postings(
    index: FeatureIndex, latent: int, ids: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float16]]:
    """Token ids and activations of one latent's firings, those without an id left out."""
    token_rows, values = index.postings(latent)
    tokens = ids[token_rows]
    known = tokens != NULL
    return tokens[known], values[known]
