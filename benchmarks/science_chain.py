"""The product's own chain on activations in memory: pairs, edges, one clustering, cosine's sweep, points, shape tests.

Every step is the function that the workflow's job calls; what is left out are the files between them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.clustering.cluster import partition_graph
from coactivation_manifolds.clustering.compare import best_matches
from coactivation_manifolds.clustering.cosine_sweep import sweep_specs
from coactivation_manifolds.clustering.graph import coactivation_graph, cosine_graph
from coactivation_manifolds.clustering.membership import Clusters
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.clustering.summary import MISSED_BELOW
from coactivation_manifolds.cooccurrence.kernel import count_pairs
from coactivation_manifolds.geometry.shape_points import LEAST_LATENTS
from coactivation_manifolds.similarity.cosine import similar_rows
from coactivation_manifolds.similarity.edges import EdgeFilters, edge_table, number_of_pairs
from coactivation_manifolds.similarity.shard_sums import CorpusTotals

Array = npt.NDArray[Any]

CLUSTERING = "components_j0.15"
"""Fixed in advance, by recovery on the seeds that were used to tune: one of the default sweep."""
FLOOR, MIN_COUNT, MIN_FIRINGS = (1, 50), 10, 1  # the configuration's defaults
MIN_POINTS, MAX_SIZE = 64, 50


class Found(NamedTuple):
    """What the chain finds before any shape is tested.

    Attributes
    ----------
    clusters
        Members of each, largest cluster first.
    missed
        bool [clusters]: missed by cosine; all False without a decoder.
    n_edges, n_significant
        Edges, and those with q <= 0.05.

    """

    clusters: list[Array]
    missed: Array
    n_edges: int
    n_significant: int


def find_clusters(activations: Array, decoder: Array | None, *, clustering: str = CLUSTERING) -> Found:
    """Count pairs, make edges, cluster, and compare with cosine.

    Parameters
    ----------
    activations
        float16 [n_tokens, n_latents].
    decoder
        float32 [n_latents, d], or None.
    clustering
        Name of a co-activation clustering.

    """
    edges = make_edges(activations, decoder)
    clusters = cluster_edges(edges, clustering)
    missed = np.zeros(clusters.n_clusters, dtype=bool)
    if decoder is not None:
        missed = best_of_cosine(clusters, decoder, clustering, n_edges=len(edges)) < MISSED_BELOW
    significant = int((edges["log10_q"].to_numpy() <= np.log10(0.05)).sum())
    return Found(clusters.members(), missed, len(edges), significant)


def cluster_edges(edges: pa.Table, clustering: str) -> Clusters:
    """The clusters of a co-activation clustering, by its name."""
    spec = parse_spec(clustering)
    return partition_graph(coactivation_graph(edges, spec), spec).clusters


def make_edges(activations: Array, decoder: Array | None) -> pa.Table:
    """The columns of ``edges.parquet``, with the configuration's default filters."""
    fires = activations > 0
    n_tokens, n_latents = fires.shape
    per_token = fires.sum(axis=1)
    ids = np.nonzero(fires)[1].astype(np.uint16 if n_latents <= 2**16 else np.uint32)
    offsets = np.concatenate([[0], np.cumsum(per_token)]).astype(np.int64)
    marginals = fires.sum(axis=0).astype(np.int64)
    k, tokens = np.unique(per_token, return_counts=True)
    totals = CorpusTotals(n_tokens, len(ids), marginals, dict(zip(k.tolist(), tokens.tolist(), strict=True)))
    filters = EdgeFilters(jaccard_floor=FLOOR, min_count=MIN_COUNT, min_firings=MIN_FIRINGS, max_density=None)
    passing = filters.latents(marginals, n_tokens)
    pairs = filters.pairs(count_pairs(offsets, ids, n_latents=n_latents, floor=FLOOR), marginals, passing)
    return edge_table(pairs, totals, n_tested=number_of_pairs(passing & (marginals >= MIN_COUNT)), decoder=decoder)


def best_of_cosine(clusters: Clusters, decoder: Array, clustering: str, *, n_edges: int) -> Array:
    """The best match of each cluster over the sweep of cosine clusterings made by the same method, float64."""
    like = parse_spec(clustering)
    pairs = similar_rows(decoder, n_neighbors=1, n_pairs=n_edges, max_pairs=5_000_000)[1]
    best = np.zeros(clusters.n_clusters)
    for spec in sweep_specs():
        if (spec.method, spec.objective) == (like.method, like.objective):
            graph = cosine_graph(pairs, threshold=spec.threshold, weighted=spec.method == "leiden")
            best = np.maximum(best, best_matches(clusters, partition_graph(graph, spec).clusters)[1])
    return best


def points_of(activations: Array, members: Array) -> Array:
    """A cluster's points, float64 [n, k]: tokens on which at least one of its latents fires."""
    own = activations[:, members]
    return np.asarray(own[(own > 0).any(axis=1)], dtype=np.float64)


def is_tested(activations: Array, members: Array) -> bool:
    """Whether a cluster is within the size bounds and has enough points."""
    if not LEAST_LATENTS <= len(members) <= MAX_SIZE:
        return False
    return int((activations[:, members] > 0).any(axis=1).sum()) >= MIN_POINTS
