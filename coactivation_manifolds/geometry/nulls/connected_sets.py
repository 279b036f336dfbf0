"""Random connected sets of latents of the graph of edges: the second null, for clusters whose shape was called.

The copula null keeps what a cluster's own latents do one by one and two by two. This one asks something else: would
other latents of the same experiment, as many and as closely tied, show as much of the shape? It stands beside q and
decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

Floats = npt.NDArray[np.float64]

TRIES_PER_SET = 20
"""Sets grown for each that is wanted: the ones of nearest mean Jaccard are taken."""


class JaccardGraph(NamedTuple):
    """The graph of ``edges.parquet``.

    Attributes
    ----------
    nodes
        uint32 [n], latents with an edge, ascending.
    adjacency
        float64 [n, n] symmetric: Jaccard of the nodes' pairs that are edges.
    ends
        int64 [2, m]: nodes of the edges, of descending Jaccard.
    jaccard
        float64 [m]: of the edges, descending.

    """

    nodes: npt.NDArray[np.uint32]
    adjacency: csr_array
    ends: npt.NDArray[np.int64]
    jaccard: Floats


class ConnectedSet(NamedTuple):
    """A connected set of latents (ascending), and the mean Jaccard of its pairs that are edges."""

    members: tuple[int, ...]
    mean_jaccard: float


def make_jaccard_graph(feature_a: npt.ArrayLike, feature_b: npt.ArrayLike, jaccard: npt.ArrayLike) -> JaccardGraph:
    """Build the graph from the columns of ``edges.parquet``, each [m]."""
    pairs = np.stack([np.asarray(feature_a, dtype=np.int64), np.asarray(feature_b, dtype=np.int64)])
    weights = np.asarray(jaccard, dtype=np.float64)
    nodes, codes = np.unique(pairs, return_inverse=True)
    codes = codes.reshape(pairs.shape).astype(np.int64)
    order = np.lexsort((codes[1], codes[0], -weights))
    ends, weights = codes[:, order], weights[order]
    both = np.concatenate([ends, ends[::-1]], axis=1)
    adjacency = coo_array((np.tile(weights, 2), (both[0], both[1])), shape=(len(nodes), len(nodes))).tocsr()
    return JaccardGraph(nodes.astype(np.uint32), adjacency, ends, weights)


def draw_connected_sets(
    graph: JaccardGraph,
    *,
    size: int,
    mean_jaccard: float,
    n_sets: int,
    excluded: Collection[int],
    rng: np.random.Generator,
) -> list[ConnectedSet]:
    """Draw distinct connected sets of as many latents, those of nearest mean Jaccard first.

    A set grows from a random edge, by random edges that join it to one more latent, among the edges of at least a
    Jaccard that is drawn for each set between 0 and the wanted mean. Twenty are grown for each one wanted.

    Parameters
    ----------
    graph
        From ``make_jaccard_graph``.
    size
        Latents of a set, at least 2.
    mean_jaccard
        Wanted mean over the pairs of a set that are edges, as in ``clusters_summary.parquet``.
    n_sets
        How many are wanted; a small graph may have fewer.
    excluded
        Latents that no set may hold: the cluster's own.
    rng
        Decides all.

    Returns
    -------
    list of ConnectedSet
        All distinct sets that were grown, ordered by the distance of their mean Jaccard from the wanted one, then by
        members; the caller takes as many as it needs.

    """
    allowed = ~np.isin(graph.nodes, np.fromiter(excluded, dtype=np.int64, count=len(excluded)))
    usable = allowed[graph.ends].all(axis=0)
    ends, jaccard = graph.ends[:, usable], graph.jaccard[usable]
    found: dict[tuple[int, ...], float] = {}
    if not len(jaccard):
        return []
    for _ in range(TRIES_PER_SET * n_sets):
        level = min(rng.uniform(0, mean_jaccard), float(jaccard[0]))
        n_edges = int(np.searchsorted(-jaccard, -level, side="right"))
        grown = _grow(graph.adjacency, ends[:, rng.integers(n_edges)], size, level, allowed, rng)
        if grown is not None and grown not in found:
            found[grown] = mean_inside(graph.adjacency, grown)
    sets = [ConnectedSet(tuple(graph.nodes[list(nodes)].tolist()), mean) for nodes, mean in found.items()]
    return sorted(sets, key=lambda drawn: (abs(drawn.mean_jaccard - mean_jaccard), drawn.members))


def mean_inside(adjacency: csr_array, nodes: Collection[int]) -> float:
    """Mean Jaccard over the pairs of these nodes that are edges."""
    inside = np.zeros(adjacency.shape[0], dtype=np.bool_)
    inside[list(nodes)] = True
    total, count = 0.0, 0
    for node in sorted(nodes):
        neighbors, weights = _row(adjacency, node)
        shared = weights[inside[neighbors]]
        total, count = total + float(shared.sum()), count + len(shared)
    return total / count if count else 0.0


def _grow(
    adjacency: csr_array,
    start: npt.NDArray[np.int64],
    size: int,
    level: float,
    allowed: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[int, ...] | None:
    """Grow a set from the two ends of an edge; None where it can't reach the size."""
    nodes: list[int] = []
    inside = np.zeros(len(allowed), dtype=np.bool_)
    frontier = np.zeros(0, dtype=np.int64)
    joining = start.tolist()
    while True:
        for node in joining:
            nodes.append(node)
            inside[node] = True
            neighbors, weights = _row(adjacency, node)
            frontier = np.concatenate([frontier, neighbors[weights >= level]])
        if len(nodes) >= size:
            return tuple(sorted(nodes[:size]))
        frontier = frontier[allowed[frontier] & ~inside[frontier]]
        if not len(frontier):
            return None
        joining = [int(frontier[rng.integers(len(frontier))])]


def _row(adjacency: csr_array, node: int) -> tuple[npt.NDArray[np.int64], Floats]:
    span = slice(adjacency.indptr[node], adjacency.indptr[node + 1])
    return adjacency.indices[span], adjacency.data[span]
