"""What other limits would leave of an experiment's components, from its finished edges: the numbers of docs/pydocs.md.

    .venv/bin/python benchmarks/try_limits.py results/pydocs

A limit on latents leaves out edges between those that it excludes, which is what ``similarity.min_firings`` and
``max_density`` do; ``min_count`` leaves out edges of fewer common tokens. Nothing is counted anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.clustering.components import component_labels
from coactivation_manifolds.clustering.graph import coactivation_graph
from coactivation_manifolds.clustering.membership import rank_clusters
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.storage import read_json, read_table

THRESHOLDS = ("0.10", "0.15", "0.20", "0.25")


def main() -> int:
    """Print one line a limit."""
    results = Path(sys.argv[1])
    edges = read_table(results / "similarity/edges.parquet")
    firings = read_table(results / "metadata/feature_counts.parquet")["count"].to_numpy()
    n_tokens = read_json(results / "cooccurrence/totals.json")["n_tokens"]
    n_a, n_b, n_ab, q = (edges[name].to_numpy() for name in ("n_a", "n_b", "n_ab", "log10_q"))
    print(f"of {len(edges):,} edges {int((q > np.log10(0.05)).sum()):,} have q > 0.05")
    close = edges["jaccard"].to_numpy() >= 0.20
    cosine = edges["cosine"].to_numpy()[close]
    print(f"at Jaccard 0.20: {int((q[close] > np.log10(0.05)).sum())} have q > 0.05, ", end="")
    print(f"{(np.abs(cosine) < 0.30).mean():.1%} a cosine between -0.3 and 0.3")
    print("clusters, largest, latents in them, of 3 to 50 latents; at Jaccard", *THRESHOLDS)
    print("as it is:", *counted(edges))
    for density in (0.2, 0.1, 0.05, 0.02, 0.01):
        kept = np.maximum(n_a, n_b) <= density * n_tokens
        left = int(((firings > 0) & (firings <= density * n_tokens)).sum())
        print(f"max_density {density}, {left:,} latents:", *counted(edges.filter(pa.array(kept))))
    for least in (20, 50, 100):
        print(f"min_count {least}:", *counted(edges.filter(pa.array(n_ab >= least))))
    for least in (64, 500):
        kept = np.minimum(n_a, n_b) >= least
        left = int((firings >= least).sum())
        print(f"min_firings {least}, {left:,} latents:", *counted(edges.filter(pa.array(kept))))
    return 0


def counted(edges: pa.Table) -> list[tuple[int, int, int, int]]:
    """For each threshold: clusters, size of the largest, latents in clusters, clusters of 3 to 50."""
    found = []
    for threshold in THRESHOLDS:
        graph = coactivation_graph(edges, parse_spec(f"components_j{threshold}"))
        sizes: npt.NDArray[np.int64] = rank_clusters(graph.nodes, component_labels(graph)).sizes
        small = int(((sizes >= 3) & (sizes <= 50)).sum())
        found.append((len(sizes), int(sizes.max(initial=0)), int(sizes.sum()), small))
    return found


if __name__ == "__main__":
    sys.exit(main())
