"""Leiden communities with igraph, seeded through one wrapper.

igraph draws from Python's global ``random`` unless it is told otherwise; here it draws from a generator made from the
seed, and what stood there before stands there after.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import igraph
import numpy as np
import numpy.typing as npt

from coactivation_manifolds.clustering.graph import Graph

_IGRAPH_OBJECTIVES = {"cpm": "CPM", "modularity": "modularity"}
MAX_ITERATIONS = 10
SMALLEST_GAIN = 1e-6
"""Leiden stops after the iteration that improves the quality by less than this share of it, or after ten. igraph's own
"until nothing improves" makes hundreds of iterations for the last digits on a graph without structure."""

_one_at_a_time = threading.Lock()


@contextmanager
def seeded_igraph(seed: int) -> Iterator[None]:
    """Let igraph draw from a generator of this seed; Python's global random state is neither read nor changed.

    igraph has one generator for the whole process and no way to ask for it, so afterwards igraph's own default,
    Python's ``random`` module, is set. Other threads wait.
    """
    with _one_at_a_time:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            yield
        finally:
            igraph.set_random_number_generator(random)


def leiden_labels(graph: Graph, *, objective: str, resolution: float | Decimal, seed: int) -> npt.NDArray[np.int64]:
    """A label for each node: the Leiden community it is in (Traag, Waltman and van Eck 2019).

    Parameters
    ----------
    graph
        Weights are used; they are all positive.
    objective
        ``cpm`` (constant Potts model: a community's mean weight per pair of members is at least about the resolution)
        or ``modularity`` (against a random graph of the same degrees; resolution 1 is Newman's).
    resolution
        Larger values give more and smaller communities.
    seed
        The result is a function of the graph and the arguments alone.

    """
    if not graph.n_edges:
        return np.arange(graph.n_nodes, dtype=np.int64)
    network = igraph.Graph(n=graph.n_nodes, edges=np.column_stack([graph.source, graph.target]))
    weights = graph.weights.tolist()
    membership: list[int] | None = None
    quality = -math.inf
    with seeded_igraph(seed):
        for _ in range(MAX_ITERATIONS):
            partition = network.community_leiden(
                objective_function=_IGRAPH_OBJECTIVES[objective],
                weights=weights,
                resolution=float(resolution),
                initial_membership=membership,
                n_iterations=1,
            )
            membership, before, quality = partition.membership, quality, partition.quality
            if quality - before <= SMALLEST_GAIN * abs(quality):
                break
    return np.asarray(membership, dtype=np.int64)
