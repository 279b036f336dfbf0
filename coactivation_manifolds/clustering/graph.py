"""From edges to the weighted graph that a clustering is made of; thresholds are tested exactly."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coactivation_manifolds.clustering.spec import ClusteringSpec
from coactivation_manifolds.cooccurrence.floor import reaches
from coactivation_manifolds.storage import PathLike, read_table

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Graph:
    """An undirected graph over the latents that have an edge.

    Attributes
    ----------
    nodes
        uint32[n], the latents' ids, ascending: node i is latent ``nodes[i]``.
    source, target
        int64[m], nodes of each edge, source < target, ordered by (source, target): the order is part of the result,
        since Leiden's path depends on it.
    weights
        float64[m], all positive.
    n_dropped
        Edges left out because their weight was zero, negative or undefined.

    """

    nodes: npt.NDArray[np.uint32]
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    n_dropped: int = 0

    @property
    def n_nodes(self) -> int:
        """Latents with an edge."""
        return len(self.nodes)

    @property
    def n_edges(self) -> int:
        """Edges kept."""
        return len(self.source)


def edge_columns(spec: ClusteringSpec) -> list[str]:
    """The columns of ``edges.parquet`` that a co-activation clustering needs."""
    weight = [spec.weight] if spec.weight else []
    return [
        "feature_a",
        "feature_b",
        "n_a",
        "n_b",
        "n_ab",
        *weight,
        *(["cosine"] if spec.cosine_cap is not None else []),
    ]


def make_graph(
    feature_a: npt.ArrayLike, feature_b: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, what: str = "edges"
) -> Graph:
    """Build a graph from pairs of latents, whatever their order; edges of weight <= 0 or NaN are dropped and counted.

    igraph's modularity takes negative weights without complaint and returns one cluster. Without ``weights`` each edge
    weighs 1.
    """
    a, b = np.asarray(feature_a, dtype=np.int64), np.asarray(feature_b, dtype=np.int64)
    low, high = np.minimum(a, b), np.maximum(a, b)
    weight = np.ones(len(low)) if weights is None else np.asarray(weights, dtype=np.float64)
    positive = weight > 0  # False for NaN
    n_dropped = int(len(positive) - np.count_nonzero(positive))
    if n_dropped:
        logger.info("%d of %d %s dropped: their weight is zero, negative or undefined", n_dropped, len(low), what)
        low, high, weight = low[positive], high[positive], weight[positive]
    order = np.lexsort((high, low))
    nodes, codes = np.unique(np.concatenate([low[order], high[order]]), return_inverse=True)
    half = len(low)
    return Graph(
        nodes.astype(np.uint32),
        codes[:half].astype(np.int64),
        codes[half:].astype(np.int64),
        np.ascontiguousarray(weight[order]),
        n_dropped,
    )


def coactivation_graph(edges: pa.Table, spec: ClusteringSpec) -> Graph:
    """The graph of a co-activation clustering: edges at Jaccard >= its threshold, those above its cosine cap pruned.

    Parameters
    ----------
    edges
        The columns ``edge_columns(spec)`` of ``edges.parquet``.
    spec
        Of a co-activation clustering; components are unweighted, Leiden takes the weight in its name.

    """
    if spec.automatic:
        raise ValueError(f"{spec.name} has no threshold yet: automatic.settle_threshold puts it in")
    column = {name: _numbers(edges, name) for name in edge_columns(spec)}
    keep = reaches(column["n_ab"], column["n_a"], column["n_b"], spec.threshold.as_integer_ratio())
    if spec.cosine_cap is not None:
        if edges["cosine"].null_count == len(edges) > 0:
            logger.warning("%s prunes by decoder cosine, but no edge has one: nothing is pruned", spec.name)
        keep &= ~(column["cosine"] > float(spec.cosine_cap))  # an undefined cosine (a zero row) prunes nothing
    weights = column[spec.weight][keep] if spec.weight else None
    return make_graph(column["feature_a"][keep], column["feature_b"][keep], weights, what=f"edges of {spec.name}")


def cosine_order(cosine_edges: pa.Table) -> pa.Table:
    """The pairs of ``cosine_edges.parquet``, most similar first, ties by (feature_a, feature_b)."""
    keys = [("cosine", "descending"), ("feature_a", "ascending"), ("feature_b", "ascending")]
    return cosine_edges.filter(pc.is_valid(cosine_edges["cosine"])).sort_by(keys)


def cosine_graph(cosine_edges: pa.Table, *, threshold: Decimal, weighted: bool) -> Graph:
    """The decoder-cosine graph: pairs at cosine >= threshold, weighted by the cosine or not at all."""
    kept = cosine_edges.filter(pc.greater_equal(cosine_edges["cosine"], float(threshold)))
    return _cosine_pairs(kept, weighted=weighted)


def most_similar_graph(cosine_edges: pa.Table, *, n_edges: int, weighted: bool) -> Graph:
    """The graph of the ``n_edges`` pairs of largest decoder cosine, or of all where there are fewer."""
    return _cosine_pairs(cosine_order(cosine_edges).slice(0, n_edges), weighted=weighted)


def _cosine_pairs(pairs: pa.Table, *, weighted: bool) -> Graph:
    weights = _numbers(pairs, "cosine") if weighted else None
    return make_graph(_numbers(pairs, "feature_a"), _numbers(pairs, "feature_b"), weights, what="cosine edges")


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.float64 | np.int64]:
    """A column as int64, or as float64 with NaN for null."""
    column = table[name]
    kind = pa.float64() if pa.types.is_floating(column.type) else pa.int64()
    numbers: npt.NDArray[np.float64 | np.int64] = column.cast(kind).to_numpy()
    return numbers


def read_edges(path: PathLike, spec: ClusteringSpec) -> pa.Table:
    """The columns of ``edges.parquet`` that this clustering needs."""
    return read_table(path, columns=edge_columns(spec))


def modularity(graph: Graph, labels: npt.ArrayLike) -> float | None:
    """Newman's weighted modularity at resolution 1 of a partition of all nodes; None for a graph without edges.

    Q = sum over clusters of w_in / m - (degree / 2m)^2 (Newman 2004, "Analysis of weighted networks"), with m the sum
    of all weights, w_in that of the weights inside, degree the sum of the members' weighted degrees.
    """
    if not graph.n_edges:
        return None
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    total = float(graph.weights.sum())
    inside = float(graph.weights[codes[graph.source] == codes[graph.target]].sum())
    degree = np.bincount(codes[graph.source], graph.weights, minlength=int(codes.max()) + 1)
    degree += np.bincount(codes[graph.target], graph.weights, minlength=len(degree))
    return inside / total - float(np.square(degree / (2 * total)).sum())
