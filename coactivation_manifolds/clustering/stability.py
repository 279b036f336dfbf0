"""How much of a cluster stays when what should not matter is changed: Leiden's seed, the shards, the threshold.

What is left of a cluster in another clustering is the largest Jaccard of its member set with a cluster there; stability
is the mean of that over the other clusterings (Hennig 2007, "Cluster-wise assessment of cluster stability").
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.clustering.automatic import with_threshold
from coactivation_manifolds.clustering.cluster import partition_graph
from coactivation_manifolds.clustering.compare import best_matches
from coactivation_manifolds.clustering.graph import (
    Graph,
    coactivation_graph,
    cosine_graph,
    most_similar_graph,
    read_edges,
)
from coactivation_manifolds.clustering.leiden import leiden_labels
from coactivation_manifolds.clustering.membership import Clusters, rank_clusters, read_clusters
from coactivation_manifolds.clustering.shard_bootstrap import (
    ShardFiles,
    draw_shards,
    resample_counts,
    resampled_edges,
)
from coactivation_manifolds.clustering.spec import ClusteringSpec, parse_spec
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.schemas import COSINE_EDGES, STABILITY, conform
from coactivation_manifolds.storage import PathLike, read_table, write_table

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]
OTHER_SEEDS, RESAMPLES = 0, 1  # streams of random numbers


def measure_stability(
    clustering: str,
    clusters_path: PathLike,
    *,
    edges_path: PathLike,
    cosine_edges_path: PathLike | None,
    shards: Sequence[ShardFiles],
    neighbor_paths: Sequence[PathLike],
    n_seeds: int,
    n_bootstraps: int,
    seed: int,
    stability_path: PathLike,
) -> None:
    """Write ``stability.parquet``, one row a cluster, ordered by cluster_id.

    Parameters
    ----------
    clustering
        Its name.
    clusters_path
        Its ``clusters.parquet``.
    edges_path, cosine_edges_path
        What it was made from; the second for cosine clusterings only.
    shards
        What the counting left of each shard.
    neighbor_paths
        ``clusters.parquet`` of the clusterings next to it in the sweep; ``stability_sweep`` is null without.
    n_seeds
        Other seeds for Leiden; ``stability_seeds`` is null for connected components, which have none.
    n_bootstraps
        Resamples of the shards; ``stability_shards`` is null with one shard, with 0, and for cosine clusterings, whose
        graph does not come from the shards.
    seed
        The experiment's: of the other seeds and of the resamples.
    stability_path
        The file to write. ``stability`` is the mean of the others that are known, null where none is.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged.

    """
    clusters, made_with = read_clusters(clusters_path)
    spec = with_threshold(parse_spec(clustering), made_with)
    parts: dict[str, Floats | None] = dict.fromkeys(STABILITY.names[1:4])
    if spec.method == "leiden" and n_seeds:
        resolution = float(made_with.get("resolution") or spec.resolution or 0)
        graph = _graph(spec, made_with, edges_path, cosine_edges_path)
        seeds = other_seeds(spec.seed or 0, n_seeds, seed=seed)
        parts["stability_seeds"] = mean_best_match(clusters, reseeded(graph, spec, seeds, resolution=resolution))
    if not spec.from_cosine and len(shards) > 1 and n_bootstraps:
        rng = np.random.default_rng([seed, RESAMPLES])
        times_drawn = draw_shards(len(shards), n_bootstraps, rng=rng)
        edges = read_edges(edges_path, spec)
        parts["stability_shards"] = mean_best_match(clusters, resampled(edges, spec, shards, times_drawn))
    if neighbor_paths:
        neighbors = (read_clusters(path)[0] for path in neighbor_paths)
        parts["stability_sweep"] = mean_best_match(clusters, neighbors)
    known = [part for part in parts.values() if part is not None]
    columns: dict[str, object] = {
        name: pa.nulls(clusters.n_clusters, pa.float64()) if part is None else part for name, part in parts.items()
    }
    columns["cluster_id"] = np.arange(clusters.n_clusters, dtype=np.int32)
    columns["stability"] = np.mean(known, axis=0) if known else pa.nulls(clusters.n_clusters, pa.float64())
    write_table(conform(columns, STABILITY), stability_path)
    told = ", ".join(f"{name} {part.mean():.3f}" for name, part in parts.items() if part is not None and len(part))
    logger.info("%s: %d clusters; %s", clustering, clusters.n_clusters, told or "nothing to compare with")


def mean_best_match(clusters: Clusters, others: Iterable[Clusters]) -> Floats:
    """Mean over other clusterings of the largest Jaccard of each cluster's members with a cluster there.

    float64 [clusters.n_clusters], in the order of the ids; 0 for a cluster that shares no latent with any.
    """
    matches = [best_matches(clusters, other)[1] for other in others]
    return np.asarray(np.mean(matches, axis=0), dtype=np.float64)


def other_seeds(own: int, count: int, *, seed: int) -> list[int]:
    """Seeds of Leiden that differ from one another and from ``own``; drawn with ``seed``."""
    drawn = np.random.default_rng([seed, OTHER_SEEDS]).choice(10**9, count + 1, replace=False)
    return [number for number in drawn.tolist() if number != own][:count]


def reseeded(graph: Graph, spec: ClusteringSpec, seeds: Iterable[int], *, resolution: float) -> Iterable[Clusters]:
    """The same Leiden clustering with other seeds."""
    for seed in seeds:
        labels = leiden_labels(graph, objective=spec.objective or "cpm", resolution=resolution, seed=seed)
        yield rank_clusters(graph.nodes, labels)


def resampled(
    edges: pa.Table, spec: ClusteringSpec, shards: Sequence[ShardFiles], times_drawn: npt.NDArray[np.int64]
) -> Iterable[Clusters]:
    """The same clustering of resampled shards; parameters as in ``resample_counts`` and ``resampled_edges``."""
    counts = resample_counts(edges, shards, times_drawn)
    for table in resampled_edges(edges, counts, spec):
        yield partition_graph(coactivation_graph(table, spec), spec).clusters


def _graph(
    spec: ClusteringSpec, made_with: dict[str, str], edges_path: PathLike, cosine_edges_path: PathLike | None
) -> Graph:
    """The graph that a clustering was made of."""
    if not spec.from_cosine:
        return coactivation_graph(read_edges(edges_path, spec), spec)
    if cosine_edges_path is None:
        raise ResultsError(f"{spec.name} is made from decoder cosines, but no cosine_edges.parquet is given")
    cosine_edges = read_table(cosine_edges_path, columns=COSINE_EDGES.names)
    if spec.matched:
        wanted = int(made_with["n_edges_wanted"])
        return most_similar_graph(cosine_edges, n_edges=wanted, weighted=True)
    return cosine_graph(cosine_edges, threshold=spec.threshold, weighted=True)
