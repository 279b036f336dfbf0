"""One planted world through the chain, and each planted group beside what was found of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from planted_geometry import World, WorldPlan, make_world
from science_chain import Found, cluster_edges, find_clusters, is_tested, make_edges, points_of
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from shape_calls import Call, Cluster, call_family, seed_of

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.geometry.nulls.copula import reconstruction_map
from coactivation_manifolds.geometry.nulls.p_values import LOOKS
from coactivation_manifolds.geometry.nulls.shape_test import MOST_POINTS
from coactivation_manifolds.geometry.pca import one_blas_thread, pca_restricted
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.irreducibility import measure_irreducibility, published_planes
from coactivation_manifolds.geometry.shapes.persistence import measure_persistence

Array = npt.NDArray[Any]
Row = dict[str, Any]

RECOVERED = 0.8
PART = 0.8  # share of a cluster's members in one planted group, above which it is a part of that
UNTESTED: Row = {"p_any": None, "q": None, "shape": None, "candidate": None, "n_vertices": 0, "effect": 0.0}


def run_world(plan: WorldPlan) -> list[Row]:
    """Make a world, run the chain, and compare: one row for each group, then one for each cluster that is none."""
    with one_blas_thread():
        world = make_world(plan)
        return compare_world(world, find_clusters(world.activations, world.decoder))


def compare_world(world: World, found: Found, *, looks: Sequence[int] = LOOKS) -> list[Row]:
    """The rows of a world whose clusters are known; ``looks`` as in ``call_family``."""
    clusters = [members.astype(np.int64) for members in found.clusters]
    tested = [place for place, members in enumerate(clusters) if is_tested(world.activations, members)]
    subjects = [
        Cluster(
            points_of(world.activations, clusters[place]),
            world.decoder[clusters[place]],
            seed_of(clusters[place], seed=world.plan.seed),
        )
        for place in tested
    ]
    calls = dict(zip(tested, call_family(subjects, looks=looks), strict=True))
    matched: dict[int, int] = {}
    rows = []
    for group, members in zip(world.plan.groups, world.members, strict=True):
        place, jaccard = best_match(members, clusters)
        row: Row = vars(group) | {
            "world": world.plan.number,
            "code": world.plan.code,
            "d": world.plan.d,
            "jaccard": jaccard,
            "recovered": jaccard >= RECOVERED,
            "missed_truth": misses_by_cosine(members, world.decoder),
        }
        if row["recovered"]:
            matched[place] = len(rows)
            row["missed_found"] = bool(found.missed[place])
            row |= _call(calls.get(place))
        rows.append(row)
    for place, subject in zip(tested, subjects, strict=True):
        rival = _rivals(subject)
        if place in matched:
            rows[matched[place]] |= rival
        else:
            rows.append(_unplanned(world, clusters[place]) | _call(calls[place]) | rival)
    return rows


def recover_world(plan: WorldPlan, *, clusterings: Sequence[str]) -> list[Row]:
    """Which groups each of several clusterings of one world recovers: one row for each group and clustering."""
    with one_blas_thread():
        world = make_world(plan)
        edges = make_edges(world.activations, world.decoder)
    rows = []
    for name in clusterings:
        found = [members.astype(np.int64) for members in cluster_edges(edges, name).members()]
        for group, members in zip(plan.groups, world.members, strict=True):
            what = "negatives" if group.truth is None else group.tier
            rows.append({"clustering": name, "what": what, "recovered": best_match(members, found)[1] >= RECOVERED})
    return rows


def best_match(members: Array, clusters: list[Array]) -> tuple[int, float]:
    """The cluster whose members are most alike, and the Jaccard of the member sets."""
    wanted = set(members.tolist())
    best = (-1, 0.0)
    for place, cluster in enumerate(clusters):
        shared = len(wanted & set(cluster.tolist()))
        jaccard = shared / (len(wanted) + len(cluster) - shared)
        if jaccard > best[1]:
            best = (place, jaccard)
    return best


def misses_by_cosine(members: Array, decoder: Array) -> bool:
    """Whether no component at cosine 0.30, 0.35, ... 0.95 has a Jaccard of 0.5 with the members: the definition anew.

    Written without the library's cosine clustering, of which it is the check.
    """
    rows = decoder.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = rows @ rows.T
    wanted = np.zeros(len(rows), dtype=bool)
    wanted[members] = True
    best = 0.0
    for threshold in np.arange(30, 100, 5) / 100:
        labels = connected_components(csr_array(cosine >= threshold), directed=False)[1]
        for label in np.unique(labels[members]):
            inside = labels == label
            if inside.sum() > 1:
                best = max(best, (inside & wanted).sum() / (inside | wanted).sum())
    return bool(best < 0.5)


def _call(call: Call | None) -> Row:
    if call is None:
        return dict(UNTESTED)
    outcome = call.outcome
    return {
        "p_any": outcome.p_any,
        "q": call.q,
        "shape": call.shape,
        "candidate": outcome.candidate,
        "n_vertices_found": outcome.n_vertices,
        "effect": outcome.effect,
        "n_draws": outcome.n_draws,
    }


def _unplanned(world: World, members: Array) -> Row:
    """A cluster that matches no group: a part of one, or something else."""
    own = set(members.tolist())
    part = next(
        (
            group.kind
            for group, planted in zip(world.plan.groups, world.members, strict=True)
            if len(own & set(planted.tolist())) >= PART * len(own)
        ),
        None,
    )
    return {
        "kind": f"part of {part}" if part else "unplanned",
        "variety": "",
        "truth": None,
        "tier": "unplanned",
        "world": world.plan.number,
        "recovered": False,
    }


def _rivals(cluster: Cluster) -> Row:
    """What other rankings are computed from, on the same points, and what ours orders clusters without a call by."""
    points = cluster.points
    if len(points) > MOST_POINTS:
        rng = np.random.default_rng(cluster.seed)
        points = points[np.sort(rng.choice(len(points), MOST_POINTS, replace=False))]
    turned = points if cluster.decoder is None else points @ reconstruction_map(cluster.decoder).T
    scores = pca_restricted(turned).scores
    try:
        ratio: float | None = measure_persistence(scores).ratio
    except ConfigError:
        ratio = None
    own = measure_irreducibility(make_cloud(turned).scores, rng=np.random.default_rng([cluster.seed, 3]))
    return {
        "engels_planes": published_planes(scores),
        "ripser_ratio": ratio,
        "separability_bits": own.separability_excess,
        "mixture_index": own.mixture,
    }
