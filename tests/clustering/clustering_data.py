"""Small graphs for the tests of clustering, made from counts as edges.parquet holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from coactivation_manifolds.schemas import COSINE_EDGES, EDGES, conform
from coactivation_manifolds.storage import write_table

FLOATS = ("dice", "log_lift", "expected", "z", "log10_p", "log10_q")


def edge_table(pairs, counts, *, n_tokens=100_000, cosine=None, phi=None):
    """Edges with the given (a, b) and (n_a, n_b, n_ab); jaccard, overlap and phi follow from the counts."""
    pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    n_a, n_b, n_ab = np.asarray(counts, dtype=np.int64).reshape(-1, 3).T
    if phi is None:
        spread = np.sqrt(n_a.astype(float) * n_b * (n_tokens - n_a) * (n_tokens - n_b))
        phi = (n_ab.astype(float) * n_tokens - n_a.astype(float) * n_b) / spread
    columns = {
        "feature_a": pairs[:, 0],
        "feature_b": pairs[:, 1],
        "n_a": n_a,
        "n_b": n_b,
        "n_ab": n_ab,
        "jaccard": n_ab / (n_a + n_b - n_ab),
        "overlap": n_ab / np.minimum(n_a, n_b),
        "phi": phi,
        "cosine": pa.nulls(len(n_a), pa.float64()) if cosine is None else cosine,
    } | {name: np.zeros(len(n_a)) for name in FLOATS}
    return conform(columns, EDGES)


def planted_edges(seed=0, *, groups=(8, 6, 5), noise=20, inside=0.5, between=0.06, n_latents=60):
    """Groups of latents whose pairs have a high Jaccard, and weak random pairs between all latents."""
    rng = np.random.default_rng(seed)
    group_of = np.repeat(np.arange(len(groups)), groups)
    pairs = [(a, b) for a in range(len(group_of)) for b in range(a + 1, len(group_of)) if group_of[a] == group_of[b]]
    strong = len(pairs)
    while len(pairs) < strong + noise:
        a, b = sorted(rng.choice(n_latents, 2, replace=False).tolist())
        if (a, b) not in pairs:
            pairs.append((a, b))
    jaccard = np.where(np.arange(len(pairs)) < strong, inside, between) + rng.uniform(0, 0.02, len(pairs))
    n = 1000
    n_ab = np.round(2 * n * jaccard / (1 + jaccard)).astype(int)
    order = np.lexsort(np.array(pairs).T[::-1])
    counts = np.column_stack([np.full(len(pairs), n), np.full(len(pairs), n), n_ab])
    return edge_table(np.array(pairs)[order], counts[order]), group_of


def write_edges(table: pa.Table, folder: Path) -> Path:
    path = folder / "edges.parquet"
    write_table(table, path)
    return path


def write_cosine_edges(triples, folder: Path, *, metadata=None) -> Path:
    triples = list(triples)
    columns = {
        "feature_a": [t[0] for t in triples],
        "feature_b": [t[1] for t in triples],
        "cosine": [t[2] for t in triples],
    }
    path = folder / "cosine_edges.parquet"
    write_table(conform(columns, COSINE_EDGES), path, metadata=metadata)
    return path


class CountingIndex:
    """Stands for the feature index: latent f fires on f + 1 tokens, no two on the same."""

    def count_any(self, feature_ids):
        return int(sum(int(f) + 1 for f in feature_ids))
