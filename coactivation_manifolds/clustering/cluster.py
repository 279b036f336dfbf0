"""Make one clustering from its name: graph, method, ranked clusters, file."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coactivation_manifolds.clustering.automatic import THRESHOLD_KEY, settle_threshold, with_threshold
from coactivation_manifolds.clustering.components import component_labels
from coactivation_manifolds.clustering.graph import (
    Graph,
    coactivation_graph,
    cosine_graph,
    modularity,
    most_similar_graph,
    read_edges,
)
from coactivation_manifolds.clustering.leiden import leiden_labels
from coactivation_manifolds.clustering.membership import Clusters, footer, rank_clusters, read_clusters, write_clusters
from coactivation_manifolds.clustering.spec import ClusteringSpec, parse_spec
from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.schemas import COSINE_EDGES
from coactivation_manifolds.storage import PathLike, read_table

logger = logging.getLogger(__name__)

MAX_BISECTIONS = 25
"""Leiden runs at most made to match a CPM clustering; 25 halvings of [0, 1] end at differences of 3e-8."""


@dataclass(frozen=True)
class Partition:
    """A graph, a label for each of its nodes, and the resolution that gave them (None for components)."""

    graph: Graph
    labels: npt.NDArray[np.int64]
    resolution: float | None = None

    @property
    def clusters(self) -> Clusters:
        """The labels as ranked clusters of at least two members."""
        return rank_clusters(self.graph.nodes, self.labels)


def cluster_edges(
    name: str,
    *,
    edges_path: PathLike,
    clusters_path: PathLike,
    cosine_edges_path: PathLike | None = None,
    reference_path: PathLike | None = None,
) -> Clusters:
    """Make the clustering of this name and write its ``clusters.parquet``.

    The footer records the clustering, ``n_edges`` and ``modularity`` of its graph (empty where undefined),
    ``n_dropped_edges``; where matched, what was wanted and what was reached; where the threshold is automatic, what
    it is. A clustering without any cluster is a valid, empty table, with a warning.

    Parameters
    ----------
    name
        A name of the grammar in docs/clustering_names.md.
    edges_path
        ``similarity/edges.parquet``.
    clusters_path
        The file to write.
    cosine_edges_path
        ``similarity/cosine_edges.parquet``, for cosine clusterings.
    reference_path
        The clustering that a matched one is matched to.

    Raises
    ------
    ConfigError
        The name is wrong, or it needs decoder cosines and there are none.
    InputError
        A file is missing or damaged.

    """
    spec = parse_spec(name)
    if spec.matched:
        partition, record = _matched(spec, edges_path, _given(cosine_edges_path, spec), _given(reference_path, spec))
    elif spec.graph == "cosine":
        cosine_edges = read_table(_given(cosine_edges_path, spec), columns=COSINE_EDGES.names)
        record = _how_complete(cosine_edges, spec)
        graph = cosine_graph(cosine_edges, threshold=spec.threshold, weighted=spec.method == "leiden")
        partition = partition_graph(graph, spec)
    else:
        edges = read_edges(edges_path, spec)
        settled, record = settle_threshold(spec, edges)
        partition = partition_graph(coactivation_graph(edges, settled), settled)
    clusters = partition.clusters
    quality = modularity(partition.graph, partition.labels)
    record = {
        "clustering": name,
        "n_edges": str(partition.graph.n_edges),
        "n_dropped_edges": str(partition.graph.n_dropped),
        "modularity": "" if quality is None else repr(quality),
    } | record
    logger.info("%s: %d clusters of %d latents", name, clusters.n_clusters, clusters.n_clustered)
    if not clusters.n_clusters:
        logger.warning("%s has no cluster: no two latents are joined; its table is empty", name)
    write_clusters(clusters, clusters_path, metadata=record)
    return clusters


def partition_graph(graph: Graph, spec: ClusteringSpec, *, resolution: float | None = None) -> Partition:
    """Apply a clustering's method to a graph; ``resolution`` takes the place of the spec's own."""
    if spec.method == "components":
        return Partition(graph, component_labels(graph))
    if spec.objective is None or spec.resolution is None or spec.seed is None:
        raise ValueError(f"a Leiden spec without objective, resolution or seed: {spec}")
    used = float(spec.resolution) if resolution is None else resolution
    labels = leiden_labels(graph, objective=spec.objective, resolution=used, seed=spec.seed)
    return Partition(graph, labels, used)


def _given(path: PathLike | None, spec: ClusteringSpec) -> PathLike:
    if path is None:
        raise ConfigError(
            f"{spec.name} is made from decoder cosines, but none are given: it needs an experiment with a decoder"
        )
    return path


def _how_complete(cosine_edges: pa.Table, spec: ClusteringSpec) -> dict[str, str]:
    """Whether the list of pairs was cut above a clustering's threshold; a warning where it was."""
    cut = footer(cosine_edges.schema).get("cut") == "true"
    least = pc.min(cosine_edges["cosine"]).as_py()
    if not cut or least is None or float(spec.threshold) > least:
        return {"cosine_edges_cut": "false"}
    logger.warning(
        "%s lacks pairs: similarity.max_cosine_edges cut the list of similar decoder rows at cosine %.4f",
        spec.name,
        least,
    )
    return {"cosine_edges_cut": "true"}


def _matched(
    spec: ClusteringSpec, edges_path: PathLike, cosine_edges_path: PathLike, reference_path: PathLike
) -> tuple[Partition, dict[str, str]]:
    """The cosine clustering of as many edges as its reference has; for CPM of as many clustered latents, too."""
    reference_clusters, made_with = read_clusters(reference_path)
    reference = with_threshold(spec.reference, made_with)
    wanted_edges = coactivation_graph(read_edges(edges_path, reference), reference).n_edges
    cosine_edges = read_table(cosine_edges_path, columns=COSINE_EDGES.names)
    graph = most_similar_graph(cosine_edges, n_edges=wanted_edges, weighted=spec.method == "leiden")
    found_edges = graph.n_edges + graph.n_dropped
    if found_edges < wanted_edges:
        logger.warning(
            "%s: %s holds %d pairs, fewer than the %d edges to match: all are taken "
            "(similarity.max_cosine_edges bounds the list)",
            spec.name,
            cosine_edges_path,
            found_edges,
            wanted_edges,
        )
    wanted = reference_clusters.n_clustered
    partition = match_cpm(graph, spec, wanted=wanted) if spec.objective == "cpm" else partition_graph(graph, spec)
    return partition, {
        **({THRESHOLD_KEY: made_with[THRESHOLD_KEY]} if spec.automatic else {}),
        "n_edges_wanted": str(wanted_edges),
        "all_cosine_edges_taken": str(found_edges < wanted_edges).lower(),
        "n_clustered_wanted": str(wanted),
        "n_clustered": str(partition.clusters.n_clustered),
        "resolution": "" if partition.resolution is None else repr(partition.resolution),
    }


def close_enough(n_clustered: int, wanted: int) -> bool:
    """Whether two numbers of clustered latents differ by at most 2 % of the wanted one."""
    return 50 * abs(n_clustered - wanted) <= wanted


def match_cpm(graph: Graph, spec: ClusteringSpec, *, wanted: int) -> Partition:
    """Leiden CPM at the resolution that puts about ``wanted`` latents into clusters of at least two.

    A cosine weight is a different scale from a phi, so the reference's resolution means nothing here. The number of
    clustered latents falls with the resolution, from all nodes at 0 to none above the largest weight (a cosine is at
    most 1): the first probe is the reference's own resolution, then [0, 1] is halved until the number is within 2 %.
    Where no probe comes that close (many latents may change sides at one resolution), the nearest is taken, of equally
    near ones the first.
    """
    low, high = 0.0, 1.0
    resolution = float(spec.resolution or 0)
    if not low < resolution < high:
        resolution = (low + high) / 2
    best: Partition | None = None
    distance = -1
    for _ in range(MAX_BISECTIONS):
        partition = partition_graph(graph, spec, resolution=resolution)
        n_clustered = partition.clusters.n_clustered
        if best is None or abs(n_clustered - wanted) < distance:
            best, distance = partition, abs(n_clustered - wanted)
        if close_enough(n_clustered, wanted) or not graph.n_edges:
            return best
        if n_clustered > wanted:
            low = resolution
        else:
            high = resolution
        resolution = (low + high) / 2
    if best is None:
        raise ValueError("MAX_BISECTIONS must be at least 1")
    logger.warning("%s: %d latents clustered, nearest to the %d wanted", spec.name, best.clusters.n_clustered, wanted)
    return best
