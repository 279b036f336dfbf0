"""Digests of a small run's tables that do not depend on the machine: integers exact, floats at nine digits."""

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl

from coactivation_manifolds.algorithm_versions import ALGORITHM_VERSION

FILE = Path(__file__).with_name("golden_hashes.json")
STAGE_OF = {
    "metadata/feature_counts.parquet": "import",
    "metadata/latent_tokens.parquet": "index",
    "index/feature_offsets.npy": "index",
    "index/token_rows.npy": "index",
    "index/values.npy": "index",
    "cooccurrence/candidates.parquet": "cooccurrence",
    "similarity/edges.parquet": "similarity",
    "similarity/tail.parquet": "similarity",
    "similarity/cosine_neighbors.parquet": "cosine",
    "similarity/cosine_edges.parquet": "cosine",
    "similarity/cosine_sweep.parquet": "clustering",
    "clusters/components_j0.30/clusters.parquet": "clustering",
    "clusters/components_j0.30/clusters_summary.parquet": "clustering",
    "clusters/leiden_cpm_phi_j0.05_r0.050_s0/clusters.parquet": "clustering",
    "sweep/summary.parquet": "clustering",
    "geometry/components_j0.30/variance.parquet": "geometry",
    "geometry/components_j0.30/stability.parquet": "stability",
    "geometry/components_j0.30/shape_tests.parquet": "shape_tests",
    "geometry/components_j0.30/scores.parquet": "ranking",
    "finds.parquet": "finds",
}


def digest(path: Path) -> str:
    """SHA-256 of a table's or an array's content."""
    if path.suffix == ".npy":
        array = np.load(path)
        return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
    table = pl.read_parquet(path)
    rounded = [
        {key: float(f"{value:.9g}") if isinstance(value, float) else value for key, value in row.items()}
        for row in table.iter_rows(named=True)
    ]
    return hashlib.sha256(json.dumps([table.columns, rounded]).encode()).hexdigest()


def digests(results: Path) -> dict[str, dict[str, object]]:
    """Version of its stage and digest of each file."""
    return {
        name: {"version": ALGORITHM_VERSION[stage], "digest": digest(results / name)}
        for name, stage in STAGE_OF.items()
    }
