"""Pass 1: count all pairs of one shard in memory; keep those whose local Jaccard reaches the floor.

If no shard s had n_ab^s >= tau union^s, then, added up, n_ab < tau union. So a pair whose Jaccard over the whole corpus
reaches the floor reaches it in at least one shard, and the kept pairs of all shards hold every pair that is wanted.
No other limit may be applied here: min_count and the like are about the whole corpus.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.activation_reader import read_shard
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.cooccurrence.floor import exact_fraction
from coactivation_manifolds.cooccurrence.kernel import count_pairs
from coactivation_manifolds.cooccurrence.pair_files import write_pair_counts
from coactivation_manifolds.storage import PathLike, write_array, write_json

logger = logging.getLogger(__name__)


def count_shard(
    manifest_path: PathLike,
    *,
    jaccard_floor: float,
    positions: Sequence[int] | None,
    threads: int,
    counts_path: PathLike,
    marginals_path: PathLike,
    totals_path: PathLike,
) -> None:
    """Write one shard's pair counts, firings of each latent, and totals.

    Parameters
    ----------
    manifest_path
        The shard's ``manifest.json``.
    jaccard_floor
        Smallest local Jaccard of a pair that is written, at most nine decimals.
    positions
        [first, last) positions within the document that count, or None for all.
    threads
        The results do not depend on it.
    counts_path, marginals_path, totals_path
        ``schemas.PAIR_COUNTS``; int64 [n_latents]; tokens, entries and the histogram of latents a token.

    Raises
    ------
    ConfigError
        The floor is no decimal in [0, 1].
    InputError, ResultsError
        The shard is damaged or incomplete, or a window of positions is asked of tokens without positions.

    """
    floor = exact_fraction(jaccard_floor, name="similarity.jaccard_floor")
    rows = read_shard(manifest_path).in_positions(positions)
    marginals = np.bincount(rows.feature_ids, minlength=rows.n_latents).astype(np.int64)
    pairs = count_pairs(rows.offsets, rows.feature_ids, n_latents=rows.n_latents, floor=floor, threads=threads)
    totals = shard_totals(rows)
    logger.info(
        "%s: %d tokens, %d entries, %d pairs at local Jaccard >= %s",
        manifest_path,
        rows.n_tokens,
        rows.n_entries,
        len(pairs.a),
        jaccard_floor,
    )
    write_array(marginals, marginals_path)
    write_json(totals, totals_path)
    write_pair_counts(pairs, counts_path, jaccard_floor=jaccard_floor)


def shard_totals(rows: TokenRows) -> dict[str, Any]:
    """Tokens, entries and the histogram of k_t (latents firing on a token) as pairs [k, tokens]."""
    return {
        "n_latents": rows.n_latents,
        "n_tokens": rows.n_tokens,
        "n_entries": rows.n_entries,
        "k_t": histogram(np.bincount(np.diff(rows.offsets), minlength=1)),
    }


def histogram(tokens_with: npt.NDArray[np.int64]) -> list[list[int]]:
    """[[k, tokens], ...] for each k that occurs, from the number of tokens with k = 0, 1, ..."""
    return [[int(k), int(tokens_with[k])] for k in np.flatnonzero(tokens_with)]
