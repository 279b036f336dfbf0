"""How much of what was found is found on shifted activations too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import log10
from typing import Any

import pyarrow.compute as pc

from coactivation_manifolds.clustering.membership import read_clusters
from coactivation_manifolds.schemas import SHIFT_SUMMARY, conform
from coactivation_manifolds.storage import PathLike, open_table, read_table, write_table

SIGNIFICANT_Q = 0.05

logger = logging.getLogger(__name__)


def summarize_shifts(
    seeds: Sequence[int],
    clusterings: Sequence[str],
    *,
    edges_paths: Sequence[PathLike],
    clusters_paths: Sequence[PathLike],
    variance_paths: Sequence[PathLike],
    headline: str,
    min_points: int,
    summary_path: PathLike,
) -> None:
    """Write one row for each clustering of the experiment, and of each control.

    Parameters
    ----------
    seeds
        Of the controls. The files are the experiment's own first, then those of each control.
    clusterings
        Names of the clusterings.
    edges_paths, variance_paths
        One file of each; no such file where the headline clustering is none of ``clusterings``.
    clusters_paths
        One file of each for each clustering.
    headline, min_points
        The clustering that ``variance_paths`` are of, and the points that a cluster must have for its shape to be
        tested: ``n_with_points`` counts those, and is null for the other clusterings.
    summary_path
        schemas.SHIFT_SUMMARY; ``shift_seed`` is null for the experiment itself, ``n_edges_significant`` counts edges
        with q <= 0.05.

    """
    rows: list[dict[str, Any]] = []
    for k, seed in enumerate([None, *seeds]):
        edges = edge_counts(edges_paths[k])
        own = clusters_paths[k * len(clusterings) : (k + 1) * len(clusterings)]
        for name, path in zip(clusterings, own, strict=True):
            sizes = read_clusters(path)[0].sizes
            rows.append(
                {
                    "shift_seed": seed,
                    **edges,
                    "clustering": name,
                    "n_clusters": len(sizes),
                    "n_clustered": int(sizes.sum()),
                    "max_size": int(sizes.max(initial=0)),
                    "n_with_points": with_points(variance_paths[k], min_points) if name == headline else None,
                }
            )
        logger.info("%s: %s", "the experiment" if seed is None else f"shift {seed}", edges)
    write_table(
        conform({name: [row[name] for row in rows] for name in SHIFT_SUMMARY.names}, SHIFT_SUMMARY), summary_path
    )


def with_points(variance_path: PathLike, min_points: int) -> int:
    """Clusters with points enough for a shape to be tested."""
    n_points = read_table(variance_path)["n_points"]
    return int(pc.sum(pc.greater_equal(n_points, min_points)).as_py() or 0)


def edge_counts(path: PathLike) -> dict[str, int]:
    """Edges of a table, and those with q <= 0.05, read by row groups."""
    n_edges = n_significant = 0
    for batch in open_table(path).iter_batches(columns=["log10_q"]):
        n_edges += len(batch)
        n_significant += pc.sum(pc.less_equal(batch["log10_q"], log10(SIGNIFICANT_Q))).as_py() or 0
    return {"n_edges": n_edges, "n_edges_significant": n_significant}
