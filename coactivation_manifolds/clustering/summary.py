"""One row for each cluster: what holds it together, where it fires, and what decoder cosine makes of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.clustering.automatic import THRESHOLD_KEY
from coactivation_manifolds.clustering.compare import best_matches
from coactivation_manifolds.clustering.cosine_sweep import swept_clusters
from coactivation_manifolds.clustering.membership import Clusters, footer, read_clusters
from coactivation_manifolds.clustering.pair_cosines import PairCosines, pair_cosines
from coactivation_manifolds.clustering.spec import ClusteringSpec, parse_spec
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import CLUSTERS_SUMMARY, COSINE_SWEEP, conform, require_columns
from coactivation_manifolds.similarity.cosine import read_decoder, row_norms
from coactivation_manifolds.storage import PathLike, read_table, write_table

logger = logging.getLogger(__name__)

MISSED_BELOW = 0.5
"""A cluster is missed by cosine when no cosine cluster of the whole sweep reaches this Jaccard of member sets."""

Floats = npt.NDArray[np.float64]
Column = Sequence[float | None]


class CountsTokens(Protocol):
    """What is needed of the feature index."""

    def count_any(self, feature_ids: npt.NDArray[np.uint32]) -> int:
        """Number of tokens on which at least one of these latents fires."""


def summarize_clusters(
    clustering: str,
    clusters_path: PathLike,
    *,
    edges_path: PathLike,
    index: CountsTokens,
    summary_path: PathLike,
    decoder_path: PathLike | None = None,
    cosine_clusters_path: PathLike | None = None,
    cosine_sweep_path: PathLike | None = None,
) -> pa.Table:
    """Write ``clusters_summary.parquet``, one row a cluster, ordered by cluster_id.

    ``mean_jaccard`` and ``min_jaccard`` are over the member pairs that ``edges.parquet`` holds, ``n_pairs_present``
    of the size * (size - 1) / 2; the others are below the experiment's floors, so their Jaccard is not known and is not
    counted as zero. The cosines are over all member pairs. Columns of the decoder or of the comparison
    are null without them.

    Parameters
    ----------
    clustering
        Its name.
    clusters_path, edges_path
        ``clusters.parquet`` and ``edges.parquet``.
    index
        For the tokens on which any member fires.
    summary_path
        The file to write.
    decoder_path
        ``decoder.npy``.
    cosine_clusters_path
        The cosine clustering matched to this one.
    cosine_sweep_path
        ``cosine_sweep.parquet``.

    Raises
    ------
    InputError
        A file is missing or damaged, or the decoder has fewer rows than there are latents.

    """
    spec = parse_spec(clustering)
    clusters, made_with = read_clusters(clusters_path)
    members = clusters.members()
    mean_jaccard, min_jaccard, present = inner_jaccard(
        clusters, read_table(edges_path, columns=["feature_a", "feature_b", "jaccard"])
    )
    cosines = _inner_cosines(members, decoder_path)
    match_ids, match_jaccard = _matches(clusters, cosine_clusters_path)
    best, cut = _best_of_sweep(clusters, spec, cosine_sweep_path)
    columns: dict[str, object] = {
        "cluster_id": np.arange(len(members), dtype=np.int32),
        "size": clusters.sizes,
        "members": pa.array([m.tolist() for m in members], type=pa.list_(pa.uint32())),
        "mean_jaccard": _null_where_nan(mean_jaccard),
        "min_jaccard": _null_where_nan(min_jaccard),
        "n_pairs_present": present,
        "mean_cosine": [c.mean for c in cosines],
        "min_cosine": [c.min for c in cosines],
        "max_cosine": [c.max for c in cosines],
        "n_tokens_any": np.array([index.count_any(m) for m in members], dtype=np.int64),
        "cosine_match_id": match_ids,
        "cosine_match_jaccard": match_jaccard,
        "cosine_best_jaccard": best,
        "missed_by_cosine": [None if b is None else b < MISSED_BELOW for b in best],
        "members_sha": [members_sha(m) for m in members],
    }
    table = conform(columns, CLUSTERS_SUMMARY)
    metadata = {"clustering": clustering} | ({} if cut is None else {"cosine_edges_cut": cut})
    if spec.automatic:
        metadata[THRESHOLD_KEY] = made_with[THRESHOLD_KEY]
    write_table(table, summary_path, metadata=metadata)
    missed = sum(bool(b is not None and b < MISSED_BELOW) for b in best)
    logger.info("%s: %d clusters, %d missed by cosine", clustering, len(members), missed)
    return table


def members_sha(members: Iterable[int]) -> str:
    """SHA-256 of the sorted decimal ids joined by commas: a name that stays when cluster ids shift."""
    return hashlib.sha256(",".join(map(str, sorted(map(int, members)))).encode()).hexdigest()


def inner_jaccard(clusters: Clusters, edges: pa.Table) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Mean and smallest Jaccard over the pairs inside each cluster that have an edge, and how many have one.

    float64[n_clusters] each, NaN where no pair has an edge; edges below the clustering's own threshold count, too.
    """
    n = clusters.n_clusters
    largest = int(clusters.feature_ids[-1]) if n else -1
    cluster_of = np.full(largest + 2, -1, dtype=np.int64)  # the last entry stands for all latents beyond
    cluster_of[clusters.feature_ids] = clusters.cluster_ids
    a, b = (cluster_of[np.minimum(edges[name].to_numpy(), largest + 1)] for name in ("feature_a", "feature_b"))
    inside = (a == b) & (a >= 0)
    ids, jaccard = a[inside], edges["jaccard"].to_numpy()[inside]
    present = np.bincount(ids, minlength=n).astype(np.int64)
    smallest = np.full(n, np.inf)
    np.minimum.at(smallest, ids, jaccard)
    sums = np.bincount(ids, jaccard, minlength=n)
    known = present > 0
    mean = np.divide(sums, present, out=np.full(n, np.nan), where=known)
    return mean, np.where(known, smallest, np.nan), present


def _inner_cosines(members: Sequence[npt.NDArray[np.uint32]], decoder_path: PathLike | None) -> list[PairCosines]:
    if decoder_path is None:
        return [PairCosines(None, None, None)] * len(members)
    decoder = read_decoder(decoder_path)
    largest = max((int(m[-1]) for m in members), default=-1)
    if largest >= len(decoder):
        raise InputError(
            f"{decoder_path} has shape {list(decoder.shape)}, but a cluster holds latent {largest}: it is not the "
            "decoder of these activations; give the right one and make the clusters anew"
        )
    norms = row_norms(decoder)
    return [pair_cosines(decoder, norms, m) for m in members]


def _matches(clusters: Clusters, cosine_clusters_path: PathLike | None) -> tuple[Sequence[int | None], Column]:
    """The best match of each cluster in the matched cosine clustering; id null where none shares a member."""
    if cosine_clusters_path is None:
        return [None] * clusters.n_clusters, [None] * clusters.n_clusters
    ids, jaccard = best_matches(clusters, read_clusters(cosine_clusters_path)[0])
    return [None if i < 0 else i for i in ids.tolist()], jaccard.tolist()


def _best_of_sweep(
    clusters: Clusters, spec: ClusteringSpec, cosine_sweep_path: PathLike | None
) -> tuple[Column, str | None]:
    """The best match of each cluster over the whole cosine sweep, and whether the sweep's pairs were cut."""
    if cosine_sweep_path is None:
        return [None] * clusters.n_clusters, None
    sweep = read_table(cosine_sweep_path)
    require_columns(sweep, COSINE_SWEEP, str(cosine_sweep_path))
    best = np.zeros(clusters.n_clusters)
    for _, cosine_clusters in swept_clusters(sweep, spec):
        best = np.maximum(best, best_matches(clusters, cosine_clusters)[1])
    return best.tolist(), footer(sweep.schema).get("cosine_edges_cut", "false")


def _null_where_nan(values: Floats) -> Column:
    return [None if np.isnan(v) else v for v in values.tolist()]
