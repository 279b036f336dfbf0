"""Which clusterings of a sweep stand next to a given one: alike but for one number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from coactivation_manifolds.clustering.spec import ClusteringSpec

VARIED = ("threshold", "resolution")


def sweep_neighbors(spec: ClusteringSpec, swept: Iterable[ClusteringSpec]) -> list[ClusteringSpec]:
    """The swept clusterings with the next lower and the next higher threshold, or resolution, and all else alike.

    At most two for connected components and four for Leiden; ``spec`` itself need not be swept. For a matched cosine
    clustering they are the ones matched to its reference's neighbours. A clustering that finds its threshold itself has
    none and is none: where it stands is not known before it is made.
    """
    if spec.automatic:
        return []
    others = [replace(other, matched=spec.matched) if other.graph == spec.graph else other for other in swept]
    found = []
    for varied in VARIED:
        own = getattr(spec, varied)
        values: dict[Decimal, ClusteringSpec] = {
            getattr(other, varied): other
            for other in others
            if own is not None and getattr(other, varied) is not None
            if replace(other, **{varied: own}) == spec
        }
        lower = [value for value in values if value < own]
        higher = [value for value in values if value > own]
        found += [values[max(lower)]] if lower else []
        found += [values[min(higher)]] if higher else []
    return found
