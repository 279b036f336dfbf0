"""The edges as they would have been had the corpus been other shards like its own: shards drawn with replacement.

Counts are sums over shards, so a resample's counts are exact: each shard's as often as it was drawn. The tokens of a
document stay together in a shard; drawing shards keeps what they have in common, where drawing tokens would not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.clustering.graph import edge_columns
from coactivation_manifolds.clustering.spec import ClusteringSpec
from coactivation_manifolds.cooccurrence.pair_files import pair_keys
from coactivation_manifolds.schemas import PAIR_COUNTS
from coactivation_manifolds.similarity import affinities
from coactivation_manifolds.storage import PathLike, damaged, open_table, read_array, read_json

Counts = npt.NDArray[np.int64]

ROWS_AT_ONCE = 1 << 20


class ShardFiles(NamedTuple):
    """What the counting left of one shard: pair counts, recounts, marginals and totals."""

    counts: PathLike
    recount: PathLike
    marginals: PathLike
    totals: PathLike


class ResampledCounts(NamedTuple):
    """Counts in B resamples.

    Attributes
    ----------
    n_ab
        int64 [B, n_edges], joint firings of the edges' pairs.
    marginals
        int64 [B, n_latents], firings of each latent.
    n_tokens
        int64 [B].

    """

    n_ab: Counts
    marginals: Counts
    n_tokens: Counts


def draw_shards(n_shards: int, n_resamples: int, *, rng: np.random.Generator) -> Counts:
    """How often each shard is drawn in each resample of as many shards as there are, int64 [n_resamples, n_shards]."""
    return rng.multinomial(n_shards, np.full(n_shards, 1 / n_shards), size=n_resamples).astype(np.int64)


def resample_counts(edges: pa.Table, shards: Sequence[ShardFiles], times_drawn: Counts) -> ResampledCounts:
    """Counts of the edges' pairs in resamples of the shards.

    Shards are read one after the other, a million rows at once; what is held is the result, and one shard's counts of
    the edges.

    Parameters
    ----------
    edges
        ``feature_a``, ``feature_b`` of ``edges.parquet``, ordered by them.
    shards
        The files of each shard.
    times_drawn
        int64 [B, n_shards], from ``draw_shards``.

    Raises
    ------
    InputError
        A file is missing or damaged.

    """
    keys = pair_keys(edges["feature_a"].to_numpy(), edges["feature_b"].to_numpy())
    n_ab = np.zeros((len(times_drawn), len(keys)), np.int64)
    marginals = times_drawn @ np.stack([read_array(shard.marginals).astype(np.int64) for shard in shards])
    n_tokens = times_drawn @ np.array([int(read_json(shard.totals)["n_tokens"]) for shard in shards], np.int64)
    for shard, drawn in zip(shards, times_drawn.T, strict=True):
        joint = joint_firings(shard, keys)
        for k in np.flatnonzero(drawn):
            n_ab[k] += drawn[k] * joint
    return ResampledCounts(n_ab, marginals, n_tokens)


def joint_firings(shard: ShardFiles, keys: npt.NDArray[np.uint64]) -> Counts:
    """A shard's n_ab of the pairs of these keys (ascending): from its counts or its recounts, 0 where in neither."""
    joint = np.zeros(len(keys), np.int64)
    for path in (shard.counts, shard.recount):
        with open_table(path) as parquet:
            try:
                for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE, columns=PAIR_COUNTS.names):
                    found = pair_keys(batch["feature_a"].to_numpy(), batch["feature_b"].to_numpy())
                    place = np.searchsorted(keys, found)
                    known = place < len(keys)
                    known[known] = keys[place[known]] == found[known]
                    joint[place[known]] += batch["n_ab"].to_numpy()[known]
            except (pa.ArrowInvalid, OSError) as error:
                raise damaged(path, error) from error
    return joint


def resampled_edges(edges: pa.Table, counts: ResampledCounts, spec: ClusteringSpec) -> Iterator[pa.Table]:
    """The edges once for each resample, with its counts and weights in place of theirs.

    All pairs of ``edges.parquet`` come again and no others: a pair below the floors of the whole corpus is unknown. The
    floors are not applied anew, only the clustering's own threshold is.

    Parameters
    ----------
    edges
        The columns ``edge_columns(spec)`` of ``edges.parquet``.
    counts
        From ``resample_counts`` of the same edges.
    spec
        Of a co-activation clustering.

    """
    a, b = edges["feature_a"].to_numpy(), edges["feature_b"].to_numpy()
    for n_ab, marginals, n_tokens in zip(*counts, strict=True):
        n_a, n_b = marginals[a], marginals[b]
        anew = {"n_a": n_a, "n_b": n_b, "n_ab": n_ab}
        if spec.weight == "phi":
            anew["phi"] = affinities.phi(n_ab, n_a, n_b, n_tokens=int(n_tokens))
        elif spec.weight == "overlap":
            anew["overlap"] = affinities.overlap(n_ab, n_a, n_b)
        elif spec.weight == "jaccard":
            anew["jaccard"] = affinities.jaccard(n_ab, n_a, n_b)
        yield pa.table({name: anew.get(name, edges[name]) for name in edge_columns(spec)})
