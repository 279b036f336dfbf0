"""The threshold that the 150-200 rule chooses for connected components: a clustering's, or the sweep's suggestion."""

from __future__ import annotations

import logging
from decimal import Decimal

import pyarrow as pa

from coactivation_manifolds.clustering.components import component_labels
from coactivation_manifolds.clustering.graph import coactivation_graph
from coactivation_manifolds.clustering.membership import rank_clusters
from coactivation_manifolds.clustering.spec import ClusteringSpec

logger = logging.getLogger(__name__)

LARGEST_ALLOWED = 200
"""The 150-200 rule: the automatic threshold is the smallest whose largest component has at most this many latents
(Clarke et al., "Compositionality and Ambiguity")."""
STEP = Decimal("0.01")
"""Thresholds in names have two decimals, so the automatic one is looked for on this grid."""
THRESHOLD_KEY = "threshold"
"""Key of a footer: the threshold that a clustering of an automatic one was made at."""


def components_at(threshold: Decimal, *, cosine_cap: Decimal | None = None) -> ClusteringSpec:
    """Connected components at a threshold."""
    return ClusteringSpec(graph="coactivation", method="components", threshold=threshold, cosine_cap=cosine_cap)


def largest_component(edges: pa.Table, threshold: Decimal, *, cosine_cap: Decimal | None = None) -> int:
    """Latents in the largest connected component at Jaccard >= threshold; 0 without edges."""
    graph = coactivation_graph(edges, components_at(threshold, cosine_cap=cosine_cap))
    clusters = rank_clusters(graph.nodes, component_labels(graph))
    return int(clusters.sizes[0]) if clusters.n_clusters else 0


def automatic_threshold(
    edges: pa.Table, *, cosine_cap: Decimal | None = None, largest_allowed: int = LARGEST_ALLOWED
) -> dict[str, str]:
    """The smallest threshold (two decimals) whose largest component has at most ``largest_allowed`` latents.

    The edges at a larger threshold are among those at a smaller one, so the largest component only shrinks and halving
    finds the threshold.

    Parameters
    ----------
    edges
        The columns ``edge_columns`` of connected components, with ``cosine`` where there is a cap.
    cosine_cap
        Edges of a larger decoder cosine are left out first.
    largest_allowed
        The rule's number.

    Returns
    -------
    dict
        Text for a footer: ``largest_of_all_edges``; and, where that is over the bound: ``automatic_threshold``
        (empty where even 1.00 is over it), ``automatic_largest`` and ``largest_one_step_below``.

    """
    of_all = largest_component(edges, Decimal(0), cosine_cap=cosine_cap)
    found = {"largest_allowed": str(largest_allowed), "largest_of_all_edges": str(of_all)}
    if of_all <= largest_allowed:
        return found
    largest: dict[int, int] = {}

    def fits(steps: int) -> bool:
        largest[steps] = largest_component(edges, steps * STEP, cosine_cap=cosine_cap)
        return largest[steps] <= largest_allowed

    low, high = 0, 100  # at 0 it does not fit
    if not fits(high):
        return found | {"automatic_threshold": "", "automatic_largest": str(largest[high])}
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    below = largest[low] if low else of_all
    return found | {
        "automatic_threshold": f"{high * STEP:.2f}",
        "automatic_largest": str(largest[high]),
        "largest_one_step_below": str(below),
    }


def settle_threshold(spec: ClusteringSpec, edges: pa.Table) -> tuple[ClusteringSpec, dict[str, str]]:
    """Put the automatic threshold into a clustering that asks for it; others stay as they are.

    It is 0.00, that is the floor of the edges, where all edges together keep to the rule's bound; and 1.00, with a
    warning, where nothing does.

    Returns
    -------
    spec, record
        The clustering, and what the footer of its file says of the choice.

    """
    if not spec.automatic:
        return spec, {}
    found = automatic_threshold(edges, cosine_cap=spec.cosine_cap)
    threshold = Decimal(0)
    if "automatic_threshold" in found:
        threshold = Decimal(found["automatic_threshold"] or 1)
        if not found["automatic_threshold"]:
            logger.warning(
                "%s: even at 1.00 the largest component has %s latents", spec.name, found["automatic_largest"]
            )
    logger.info("%s: the threshold is %.2f", spec.name, threshold)
    return spec.at(threshold), {THRESHOLD_KEY: f"{threshold:.2f}"} | found


def with_threshold(spec: ClusteringSpec, made_with: dict[str, str]) -> ClusteringSpec:
    """The clustering with the threshold that it was made at, as the footer of its ``clusters.parquet`` tells."""
    return spec.at(Decimal(made_with[THRESHOLD_KEY])) if spec.automatic else spec
