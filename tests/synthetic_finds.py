"""Finds over the clusters of ``synthetic_clusters``, with null draws that never come near them."""

from __future__ import annotations

import numpy as np

from coactivation_manifolds import schemas
from coactivation_manifolds.geometry.clusters import read_clusters
from coactivation_manifolds.geometry.shapes.registry import SHAPES
from coactivation_manifolds.storage import write_json, write_table

CLUSTERING = "components_j0.20"
STATISTICS = [f"{basis}_{shape}" for basis in ("recon", "act") for shape in SHAPES]
GALLERY_SETTINGS = {"gallery_finds": 5, "persistence": False, "max_q": 0.05, "sample_points": 1_000}
FOOTER = {"n_clusterings_coactivation": "2", "n_tested_coactivation": "9", "smallest_q_coactivation": "0.001"}


def find_row(cluster_id, members, shape, **changed):
    """A row of finds.parquet."""
    row = dict.fromkeys(schemas.FINDS.names)
    row |= {"shape": shape, "basis": "recon", "q_value": 0.0012, "effect": 3.4, "p_any": 0.0001, "n_draws": 1000}
    row |= {"n_points": 600, "size": len(members), "members": members, "members_sha": "0" * 64}
    row |= {"clustering": CLUSTERING, "cluster_id": cluster_id, "clusterings": ["components_j0.15", CLUSTERING]}
    row |= {"graph": "coactivation", "p_connected": 0.02, "separability_bits": 0.6, "mixture_index": 0.15}
    row |= {"stability": 0.93, "missed_by_cosine": True, "cosine_best_jaccard": 0.3}
    return row | changed


def write_finds(path, rows, *, footer=FOOTER):
    """Write rows, numbered from 0."""
    rows = [row | {"find_id": i} for i, row in enumerate(rows)]
    columns = {name: [row.get(name) for row in rows] for name in schemas.FINDS.names}
    write_table(schemas.conform(columns, schemas.FINDS), path, metadata=footer)


def write_draws(path, cluster_ids, *, n_draws=50, statistics=STATISTICS):
    """Write an observed value of 0.9 and null draws about 0.3 for each cluster and statistic."""
    rng = np.random.default_rng(0)
    rows = 1 + n_draws
    columns = {"cluster_id": np.repeat(cluster_ids, rows), "draw": np.tile(np.arange(rows), len(cluster_ids))}
    for name in statistics:
        values = rng.normal(0.3, 0.05, (len(cluster_ids), rows))
        values[:, 0] = 0.9
        columns[name] = values.ravel()
    write_table(schemas.conform(columns, schemas.shape_draws_schema(statistics)), path)


def write_shapes(path, vertex_tokens):
    """Write shapes.json of simplices, with the token ids at their vertices by cluster."""
    write_json(
        {f"{cluster:04d}": {"shape": "simplex", "vertex_tokens": ids} for cluster, ids in vertex_tokens.items()}, path
    )


def write_scores(path, made, *, summary_path=None, called=None, min_size=2, max_size=20):
    """Scores of the clusters within the size bounds; ``called`` gives (shape, q) by cluster."""
    rows = []
    for record in read_clusters(summary_path or made.summary_path):
        if min_size <= record.size <= max_size:
            points = made.index.matching_rows(record.members, min_active=1, positions=None)
            shape, q = (called or {}).get(record.cluster_id, (None, None))
            shares = {"evr_recon_pc1": 0.5, "evr_recon_pc2": 0.3} if len(points) >= 64 else {}
            rows.append(
                {"cluster_id": record.cluster_id, "n_points": len(points), "shape": shape, "q_value": q} | shares
            )
    columns = {name: [row.get(name) for row in rows] for name in schemas.SCORES.names}
    write_table(schemas.conform(columns, schemas.SCORES), path)


def write_headline(path, **kinds):
    """Rows of finds_summary.parquet; each kind with its numbers by column."""
    rows = [{"kind": kind} | numbers for kind, numbers in kinds.items()]
    columns = {name: [row.get(name) for row in rows] for name in schemas.FINDS_SUMMARY.names}
    write_table(schemas.conform(columns, schemas.FINDS_SUMMARY), path)
