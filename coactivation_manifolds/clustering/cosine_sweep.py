"""Clusterings of the decoder-cosine graph over a whole range: what a co-activation cluster must be missed by.

At one cosine threshold a giant component would make every cluster "missed"; over the whole range that can't happen.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa

from coactivation_manifolds.clustering.cluster import partition_graph
from coactivation_manifolds.clustering.graph import cosine_graph
from coactivation_manifolds.clustering.membership import Clusters, footer
from coactivation_manifolds.clustering.spec import OBJECTIVES, ClusteringSpec, parse_spec
from coactivation_manifolds.experiment.bounds import LEAST_COSINE
from coactivation_manifolds.schemas import COSINE_EDGES, COSINE_SWEEP, conform
from coactivation_manifolds.storage import PathLike, open_table, read_table, write_table

logger = logging.getLogger(__name__)

THRESHOLDS = tuple(Decimal(c) / 100 for c in range(30, 100, 5))
"""Cosine thresholds of the components: 0.30 to 0.95, step 0.05."""
LEIDEN_THRESHOLD = LEAST_COSINE
"""Leiden sees all pairs of at least this cosine, weighted by it."""
RESOLUTIONS = {
    "cpm": tuple(map(Decimal, ("0.020", "0.050", "0.100", "0.200", "0.300", "0.400", "0.500", "0.600", "0.700"))),
    "modularity": tuple(map(Decimal, ("0.500", "1.000", "2.000", "5.000", "10.000", "20.000", "50.000"))),
}
"""From giant communities to pairs, in both objectives."""


def sweep_specs() -> list[ClusteringSpec]:
    """The cosine clusterings of the sweep: components, then Leiden with either objective, all with seed 0."""
    components = [ClusteringSpec(graph="cosine", method="components", threshold=threshold) for threshold in THRESHOLDS]
    leiden = [
        ClusteringSpec(
            graph="cosine",
            method="leiden",
            threshold=LEIDEN_THRESHOLD,
            objective=objective,
            resolution=resolution,
            seed=0,
        )
        for objective in OBJECTIVES
        for resolution in RESOLUTIONS[objective]
    ]
    return components + leiden


def sweep_cosine(cosine_edges_path: PathLike, *, sweep_path: PathLike) -> None:
    """Make all cosine clusterings of the sweep and write them in one table: clustering, feature_id, cluster_id.

    Ordered by clustering (in the order of ``sweep_specs``) and feature_id; a clustering without clusters has no rows.
    The footer says with ``cosine_edges_cut`` whether the list of pairs was cut by ``similarity.max_cosine_edges``.

    Raises
    ------
    InputError
        The list of pairs is missing or damaged.

    """
    with open_table(cosine_edges_path) as parquet:
        cut = footer(parquet.schema_arrow).get("cut") == "true"
    if cut:
        logger.warning(
            "%s was cut by similarity.max_cosine_edges: matches at low cosine may be lost", cosine_edges_path
        )
    edges = read_table(cosine_edges_path, columns=COSINE_EDGES.names)
    tables = []
    for spec in sweep_specs():
        graph = cosine_graph(edges, threshold=spec.threshold, weighted=spec.method == "leiden")
        clusters = partition_graph(graph, spec).clusters
        logger.info("%s: %d clusters of %d latents", spec.name, clusters.n_clusters, clusters.n_clustered)
        columns = {
            "clustering": pa.array([spec.name] * clusters.n_clustered, type=pa.string()),
            "feature_id": clusters.feature_ids,
            "cluster_id": clusters.cluster_ids,
        }
        tables.append(conform(columns, COSINE_SWEEP))
    write_table(pa.concat_tables(tables), sweep_path, metadata={"cosine_edges_cut": str(cut).lower()})


def swept_clusters(sweep: pa.Table, like: ClusteringSpec) -> Iterator[tuple[str, Clusters]]:
    """The clusterings of the sweep made as ``like`` is: components for components, Leiden of the same objective."""
    encoded = sweep["clustering"].combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    features = sweep["feature_id"].to_numpy()
    ids = sweep["cluster_id"].to_numpy()
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        spec = parse_spec(name)
        if (spec.method, spec.objective) == (like.method, like.objective):
            rows = np.flatnonzero(codes == code)
            yield name, Clusters(features[rows], ids[rows])
