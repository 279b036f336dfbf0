"""From the shards' counts to edges: merge, the filters over the whole corpus, affinities, significance.

Nothing here depends on how the tokens were cut into shards or in which order files are given: the same corpus gives the
same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.cooccurrence.floor import Fraction, exact_fraction, reaches
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.cooccurrence.pair_files import check_same_floor, iter_summed_ranges
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import EDGES, SIMILARITY_TAIL, conform
from coactivation_manifolds.similarity import affinities
from coactivation_manifolds.similarity.cosine import decoder_cosine, read_decoder
from coactivation_manifolds.similarity.fixed_counts import solve_fixed_counts
from coactivation_manifolds.similarity.shard_sums import CorpusTotals, sum_shards
from coactivation_manifolds.similarity.significance import benjamini_hochberg, edge_significance
from coactivation_manifolds.storage import PathLike, write_json, write_table

logger = logging.getLogger(__name__)

Counts = npt.NDArray[np.int64]
ROW_GROUP = 1 << 17


@dataclass(frozen=True, kw_only=True)
class EdgeFilters:
    """Which latents and pairs may be edges, as given in the experiment file.

    Attributes
    ----------
    jaccard_floor, max_density
        Fractions p / q; max_density None is off.
    min_count, min_firings
        Smallest n_ab of a pair, smallest n_i of a latent.

    """

    jaccard_floor: Fraction
    min_count: int
    min_firings: int
    max_density: Fraction | None

    def latents(self, marginals: Counts, n_tokens: int) -> npt.NDArray[np.bool_]:
        """Which latents may take edges: n_i >= min_firings and n_i <= max_density N, on integers; bool [n_latents]."""
        passing: npt.NDArray[np.bool_] = marginals >= self.min_firings
        if self.max_density is not None:
            p, q = self.max_density
            passing &= marginals * q <= p * n_tokens
        return passing

    def pairs(self, pairs: PairCounts, marginals: Counts, passing: npt.NDArray[np.bool_]) -> PairCounts:
        """The pairs that are edges."""
        n_a, n_b = marginals[pairs.a], marginals[pairs.b]
        keep = reaches(pairs.n_ab, n_a, n_b, self.jaccard_floor) & (pairs.n_ab >= self.min_count)
        keep &= passing[pairs.a] & passing[pairs.b]
        return PairCounts(*(column[keep] for column in pairs))


def reduce_counts(
    counts_paths: Sequence[PathLike],
    recount_paths: Sequence[PathLike],
    marginals_paths: Sequence[PathLike],
    totals_paths: Sequence[PathLike],
    *,
    decoder_path: PathLike | None,
    jaccard_floor: float,
    min_count: int,
    min_firings: int,
    max_density: float | None,
    edges_path: PathLike,
    totals_path: PathLike,
    tail_path: PathLike,
) -> None:
    """Sum the shards and write the edges, the corpus's totals and the tail of the similarity.

    Parameters
    ----------
    counts_paths, recount_paths, marginals_paths, totals_paths
        What ``count_shard`` and ``recount_shard`` wrote for every shard, in any order.
    decoder_path
        float32 [n_latents, d_model] for the cosine column, or None: the column is null.
    jaccard_floor, min_count, min_firings, max_density
        Smallest Jaccard and n_ab of a pair, smallest n_i and largest share of tokens (or None) of a latent; tested on
        integers over the whole corpus.
    edges_path
        ``schemas.EDGES``, ordered by (feature_a, feature_b).
    totals_path
        N, entries, histogram of k_t, the filters and what passed them.
    tail_path
        ``schemas.SIMILARITY_TAIL``.

    Raises
    ------
    ConfigError
        A threshold is no decimal in [0, 1].
    InputError, ResultsError
        A file is missing, damaged, or does not fit the others.

    """
    filters = EdgeFilters(
        jaccard_floor=exact_fraction(jaccard_floor, name="similarity.jaccard_floor"),
        min_count=min_count,
        min_firings=min_firings,
        max_density=None if max_density is None else exact_fraction(max_density, name="similarity.max_density"),
    )
    check_same_floor(counts_paths, filters.jaccard_floor)
    totals = sum_shards(marginals_paths, totals_paths)
    passing = filters.latents(totals.marginals, totals.n_tokens)
    kept = [
        filters.pairs(pairs, totals.marginals, passing) for pairs in iter_summed_ranges([*counts_paths, *recount_paths])
    ]
    pairs = _joined(kept)
    n_tested = number_of_pairs(passing & (totals.marginals >= min_count))
    decoder = None if decoder_path is None else read_decoder(decoder_path)
    if decoder is not None and len(decoder) != len(totals.marginals):
        raise InputError(
            f"{decoder_path} has {len(decoder)} rows but the activations have {len(totals.marginals)} latents: "
            "give the decoder of the same SAE"
        )
    edges = edge_table(pairs, totals, n_tested=n_tested, decoder=decoder)
    logger.info("%d edges among %d latents, %d tokens", len(edges), int(passing.sum()), totals.n_tokens)
    write_table(edges, edges_path, row_group_size=ROW_GROUP)
    write_table(tail_table(edges, filters.jaccard_floor, number_of_pairs(passing)), tail_path)
    write_json(
        {
            "n_latents": len(totals.marginals),
            "n_tokens": totals.n_tokens,
            "n_entries": totals.n_entries,
            "n_latents_firing": int((totals.marginals > 0).sum()),
            "jaccard_floor": jaccard_floor,
            "min_count": min_count,
            "min_firings": min_firings,
            "max_density": max_density,
            "n_latents_passing": int(passing.sum()),
            "n_pairs_of_latents_passing": number_of_pairs(passing),
            "n_pairs_tested": n_tested,
            "n_edges": len(edges),
            "k_t": [[k, tokens] for k, tokens in sorted(totals.tokens_by_k.items())],
        },
        totals_path,
    )


def number_of_pairs(chosen: npt.NDArray[np.bool_]) -> int:
    """Pairs of the chosen latents."""
    latents = int(chosen.sum())
    return latents * (latents - 1) // 2


def edge_table(pairs: PairCounts, totals: CorpusTotals, *, n_tested: int, decoder: npt.NDArray[Any] | None) -> pa.Table:
    """All columns of ``schemas.EDGES`` for the pairs kept, in their order.

    Parameters
    ----------
    pairs
        Ordered by (a, b).
    totals
        Sums over the shards.
    n_tested
        m of the false discovery rate.
    decoder
        float32 [n_latents, d_model] or None.

    """
    n_ab, n_a, n_b = pairs.n_ab, totals.marginals[pairs.a], totals.marginals[pairs.b]
    model = solve_fixed_counts(totals.marginals, totals.tokens_by_k)
    significance = edge_significance(model, n_a, n_b, n_ab)
    cosine = np.full(len(n_ab), np.nan) if decoder is None else decoder_cosine(decoder, pairs.a, pairs.b)
    columns = {
        "feature_a": pairs.a,
        "feature_b": pairs.b,
        "n_a": n_a,
        "n_b": n_b,
        "n_ab": n_ab,
        "jaccard": affinities.jaccard(n_ab, n_a, n_b),
        "dice": affinities.dice(n_ab, n_a, n_b),
        "overlap": affinities.overlap(n_ab, n_a, n_b),
        "phi": _nullable(affinities.phi(n_ab, n_a, n_b, n_tokens=totals.n_tokens)),
        "log_lift": _nullable(affinities.log_lift(n_ab, n_a, n_b, n_tokens=totals.n_tokens)),
        "expected": significance.expected,
        "z": significance.z,
        "log10_p": significance.log10_p,
        "log10_q": benjamini_hochberg(significance.log10_p, n_tested),
        "cosine": _nullable(cosine),
    }
    return conform(columns, EDGES)


def tail_table(edges: pa.Table, floor: Fraction, n_pairs: int) -> pa.Table:
    """How many edges reach each Jaccard of a grid, and their share of all pairs of latents that pass the filters.

    The grid: the floor, then steps of 0.001 up to 0.1 and of 0.01 up to 1, so that it holds every threshold a
    clustering's name can have. Below the floor nothing is known. Ties are tested on integers.
    """
    n_ab, n_a, n_b = (edges[name].to_numpy() for name in ("n_ab", "n_a", "n_b"))
    p, q = floor
    steps = [*range(1, 100), *range(100, 1001, 10)]
    grid = [floor, *((step, 1000) for step in steps if step * q > p * 1000)]
    reached = [int(reaches(n_ab, n_a, n_b, threshold).sum()) for threshold in grid]
    columns = {
        "jaccard": [numerator / denominator for numerator, denominator in grid],
        "n_pairs": reached,
        "share_of_pairs": [count / n_pairs if n_pairs else 0.0 for count in reached],
    }
    return conform(columns, SIMILARITY_TAIL)


def _nullable(values: npt.NDArray[np.float64]) -> pa.Array:
    """An Arrow column with null for NaN."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _joined(parts: list[PairCounts]) -> PairCounts:
    empty = PairCounts(np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(0, np.int64))
    return PairCounts(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))
