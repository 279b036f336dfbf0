"""One row for each clustering of the sweep, and which threshold the sweep suggests."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from coactivation_manifolds.clustering.automatic import (
    LARGEST_ALLOWED,
    STEP,
    automatic_threshold,
    components_at,
    with_threshold,
)
from coactivation_manifolds.clustering.compare import adjusted_mutual_information
from coactivation_manifolds.clustering.graph import edge_columns
from coactivation_manifolds.clustering.membership import footer, read_clusters
from coactivation_manifolds.clustering.spec import ClusteringSpec, parse_spec
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import SWEEP_SUMMARY, conform
from coactivation_manifolds.storage import PathLike, read_table, write_table

logger = logging.getLogger(__name__)


def summarize_sweep(
    clusterings: Sequence[str],
    clusters_paths: Sequence[PathLike],
    cosine_clusters_paths: Sequence[PathLike],
    *,
    edges_path: PathLike,
    summary_path: PathLike,
) -> pa.Table:
    """Write ``sweep/summary.parquet``, one row a clustering, in the order given.

    ``n_edges`` and ``modularity`` (Newman's, at resolution 1, of the partition on its own graph) come from the footer
    of ``clusters.parquet``. ``ami_cosine`` compares with the matched cosine clustering and is null without one. The
    footer holds the automatic threshold (``automatic_threshold``), which need not be in the sweep.

    Parameters
    ----------
    clusterings
        Names.
    clusters_paths
        Their ``clusters.parquet``, in the same order.
    cosine_clusters_paths
        The matched cosine clusterings of those made from co-activation, in their order; empty without a decoder.
    edges_path
        ``edges.parquet``, for the automatic threshold.
    summary_path
        The file to write.

    Raises
    ------
    InputError
        A file is missing or damaged, or there are not as many matched clusterings as there should be.

    """
    specs = [parse_spec(name) for name in clusterings]
    compared = [spec.name for spec in specs if not spec.from_cosine]
    if cosine_clusters_paths and len(cosine_clusters_paths) != len(compared):
        raise InputError(
            f"{len(compared)} clusterings are compared, but {len(cosine_clusters_paths)} cosine ones are given"
        )
    counterparts = dict(zip(compared, cosine_clusters_paths, strict=False))
    rows = [_row(spec, path, counterparts.get(spec.name)) for spec, path in zip(specs, clusters_paths, strict=True)]
    table = conform({name: [row[name] for row in rows] for name in SWEEP_SUMMARY.names}, SWEEP_SUMMARY)
    automatic = automatic_threshold(read_table(edges_path, columns=edge_columns(components_at(Decimal(0)))))
    write_table(table, summary_path, metadata=automatic)
    name, reason = suggest_threshold(table.replace_schema_metadata(automatic))
    logger.info("suggested: %s: %s", name, reason)
    return table


def _row(spec: ClusteringSpec, path: PathLike, counterpart: PathLike | None) -> dict[str, Any]:
    clusters, made_with = read_clusters(path)
    sizes = clusters.sizes
    ami = adjusted_mutual_information(clusters, read_clusters(counterpart)[0]) if counterpart is not None else None
    resolution = made_with.get("resolution") or spec.resolution  # a matched CPM clustering has found its own
    return {
        "clustering": spec.name,
        "method": f"{'cosine_' if spec.from_cosine else ''}{spec.method}",
        "threshold": None if spec.graph == "cosine" else float(with_threshold(spec, made_with).threshold),
        "resolution": None if resolution is None else float(resolution),
        "n_edges": int(made_with["n_edges"]) if made_with.get("n_edges") else None,
        "n_clusters": clusters.n_clusters,
        "n_clustered": clusters.n_clustered,
        "median_size": float(np.median(sizes)) if len(sizes) else None,
        "max_size": int(sizes[0]) if len(sizes) else 0,
        "modularity": float(made_with["modularity"]) if made_with.get("modularity") else None,
        "ami_cosine": ami,
    }


def find_elbow(thresholds: Sequence[float], largest: Sequence[int]) -> int | None:
    """Where the size of the largest component stops falling fast: the place of the sweep farthest under the chord.

    The chord joins the first and the last point of (threshold, log size), both axes scaled to [0, 1] (Satopaa et al.
    2011, "Finding a kneedle in a haystack"). None where there are fewer than three points, or none lies under
    the chord.
    """
    if len(thresholds) < 3:
        return None
    x, y = np.asarray(thresholds, dtype=np.float64), np.log(np.maximum(1, np.asarray(largest)))
    if x[-1] <= x[0] or y[0] <= y[-1]:
        return None
    depth = 1 - (x - x[0]) / (x[-1] - x[0]) - (y - y[-1]) / (y[0] - y[-1])
    place = int(np.argmax(depth))
    return place if depth[place] > 1e-9 else None


def suggest_threshold(summary: pa.Table) -> tuple[str | None, str]:
    """Which threshold of connected components the sweep speaks for, and why in words.

    The smallest threshold that keeps the largest component at or under 200 latents, swept or not. Where all edges
    together keep it (a small SAE), that rule can't choose, and the elbow of the sweep does.

    Parameters
    ----------
    summary
        ``sweep/summary.parquet`` with its footer.

    Returns
    -------
    name, reason
        The clustering's name, None where nothing can be suggested; a phrase without a full stop.

    """
    rows = sorted(
        (row for row in summary.to_pylist() if row["max_size"] and _takes_part(parse_spec(row["clustering"]))),
        key=lambda row: row["threshold"],
    )
    found = footer(summary.schema)
    place = find_elbow([row["threshold"] for row in rows], [row["max_size"] for row in rows])
    elbow = rows[place] if place is not None else None
    allowed = int(found.get("largest_allowed", LARGEST_ALLOWED))
    if found.get("automatic_threshold"):
        threshold = Decimal(found["automatic_threshold"])
        reason = (
            f"the smallest Jaccard whose largest component has at most {allowed} latents ("
            f"{int(found['automatic_largest']):,}; {int(found['largest_one_step_below']):,} at {threshold - STEP:.2f})"
        )
        beside = f"; the elbow of the sweep is at {elbow['threshold']:.2f}" if elbow else ""
        return components_at(threshold).name, reason + beside
    if not rows:
        return None, "no connected components with a cluster were swept"
    if "automatic_threshold" in found:
        return rows[-1]["clustering"], (
            f"the largest threshold of the sweep: even at 1.00 the largest component has "
            f"{int(found['automatic_largest']):,} latents, more than {allowed}"
        )
    small = f"no threshold gives a component of more than {allowed} latents, so that rule can't choose"
    if elbow is None:
        most = max(rows, key=lambda row: (row["n_clusters"], -row["threshold"]))
        return most[
            "clustering"
        ], f"{small}, and the sweep has no elbow; here are the most clusters ({most['n_clusters']:,})"
    return elbow["clustering"], (
        f"{small}; the largest component shrinks fast up to here and slowly after "
        f"({_size_at(rows[0])}, {_size_at(elbow)}, {_size_at(rows[-1])})"
    )


def _takes_part(spec: ClusteringSpec) -> bool:
    """Whether a clustering is one of the sweep of thresholds: connected components of all edges, at a given one."""
    return spec == components_at(spec.threshold)


def _size_at(row: dict[str, Any]) -> str:
    return f"{row['max_size']:,} latents at {row['threshold']:.2f}"
