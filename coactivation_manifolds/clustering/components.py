"""Connected components: the one place where they are computed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from coactivation_manifolds.clustering.graph import Graph


def component_labels(graph: Graph) -> npt.NDArray[np.int64]:
    """A label for each node, equal where a path joins two nodes."""
    ones = np.ones(graph.n_edges, dtype=np.int8)
    adjacency = coo_array((ones, (graph.source, graph.target)), shape=(graph.n_nodes, graph.n_nodes))
    labels: npt.NDArray[np.int64] = connected_components(adjacency.tocsr(), directed=False)[1].astype(np.int64)
    return labels
