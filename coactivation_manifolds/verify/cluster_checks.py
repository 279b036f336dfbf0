"""Clusterings against the graph that they are made from, and the tables that describe them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from coactivation_manifolds import paths
from coactivation_manifolds.clustering.membership import Clusters, rank_clusters, read_clusters
from coactivation_manifolds.clustering.spec import ClusteringSpec, parse_spec
from coactivation_manifolds.clustering.summary import members_sha
from coactivation_manifolds.cooccurrence.floor import reaches
from coactivation_manifolds.errors import CoactivationError
from coactivation_manifolds.storage import read_table
from coactivation_manifolds.verify.pair_tables import Array, iter_columns
from coactivation_manifolds.verify.place import Place
from coactivation_manifolds.verify.repair import Problem

SUMS = ("n_clusters", "n_clustered", "max_size")


def check_clusterings(place: Place, n_latents: int) -> Iterator[Problem]:
    """Every clustering: a partition, of a graph that is in the edges; its summary; its row in other tables."""
    clusterings: dict[str, Clusters] = {}
    for path, wildcards in place.all_of(paths.CLUSTERS):
        name = wildcards["clustering"]
        try:
            clusterings[name] = read_clusters(path)[0]
        except CoactivationError as error:
            yield place.problem(path, " ".join(str(error).split()).removeprefix(f"{path}: "))
            continue
        yield from check_partition(place, path, clusterings[name], parse_spec(name), n_latents)
    for path, wildcards in place.all_of(paths.CLUSTERS_SUMMARY):
        if wildcards["clustering"] in clusterings:
            yield from check_members(place, path, clusterings[wildcards["clustering"]])
    for path, _ in place.tables_with("clustering", *SUMS):
        yield from check_numbers(place, path, clusterings)


def check_partition(
    place: Place, path: Path, clusters: Clusters, spec: ClusteringSpec, n_latents: int
) -> Iterator[Problem]:
    """Ranked clusters whose members hang together by edges: components exactly, others each member by one edge."""
    if len(clusters.feature_ids) and int(clusters.feature_ids[-1]) >= n_latents:
        yield place.problem(path, f"holds latent {int(clusters.feature_ids[-1]):,} of {n_latents:,}")
        return
    ranked = rank_clusters(clusters.feature_ids, clusters.cluster_ids)
    if not (
        np.array_equal(ranked.feature_ids, clusters.feature_ids)
        and np.array_equal(ranked.cluster_ids, clusters.cluster_ids)
    ):
        yield place.problem(path, "its clusters are not numbered by size and smallest member, or one has one latent")
        return
    source = place.path(paths.COSINE_EDGES if spec.graph == "cosine" else paths.EDGES)
    if spec.matched or not source.is_file():
        return
    cluster_of = np.full(n_latents, -1, np.int64)
    cluster_of[clusters.feature_ids] = clusters.cluster_ids
    if spec.method == "components":
        labels = np.arange(n_latents)
        for a, b in edges_of(source, spec):
            labels = joined(labels, a, b)
        wanted = rank_clusters(np.arange(n_latents), labels)
        if not (
            np.array_equal(wanted.feature_ids, clusters.feature_ids)
            and np.array_equal(wanted.cluster_ids, clusters.cluster_ids)
        ):
            yield place.problem(path, f"its clusters are not the connected components of {source}")
        return
    held = np.zeros(n_latents, bool)
    for a, b in edges_of(source, spec):
        inside = (cluster_of[a] == cluster_of[b]) & (cluster_of[a] >= 0)
        held[a[inside]] = held[b[inside]] = True
    loose = np.flatnonzero((cluster_of >= 0) & ~held)
    if len(loose):
        yield place.problem(path, f"latent {int(loose[0])} has no edge to another latent of its cluster")


def edges_of(path: Path, spec: ClusteringSpec) -> Iterator[tuple[Array, Array]]:
    """The pairs of a clustering's graph, in pieces."""
    if spec.graph == "cosine":
        for batch in iter_columns(path, ["feature_a", "feature_b", "cosine"]):
            kept = batch["cosine"] >= float(spec.threshold)
            yield batch["feature_a"][kept].astype(np.int64), batch["feature_b"][kept].astype(np.int64)
        return
    capped = ["cosine"] if spec.cosine_cap is not None else []
    for batch in iter_columns(path, ["feature_a", "feature_b", "n_a", "n_b", "n_ab", *capped]):
        kept = reaches(batch["n_ab"], batch["n_a"], batch["n_b"], spec.threshold.as_integer_ratio())
        if spec.cosine_cap is not None:
            kept &= ~(batch["cosine"] > float(spec.cosine_cap))
        yield batch["feature_a"][kept].astype(np.int64), batch["feature_b"][kept].astype(np.int64)


def joined(labels: npt.NDArray[Any], a: Array, b: Array) -> npt.NDArray[Any]:
    """Labels of components after more edges; one label a latent."""
    n = len(labels)
    graph = coo_array((np.ones(len(a), np.int8), (labels[a], labels[b])), shape=(n, n))
    merged: npt.NDArray[Any] = connected_components(graph, directed=False)[1][labels]
    return merged


def check_members(place: Place, path: Path, clusters: Clusters) -> Iterator[Problem]:
    """Sizes, members and their hash in the summary, and how many of their pairs are edges."""
    table = read_table(path, columns=["cluster_id", "size", "members", "members_sha", "n_pairs_present"])
    members = [each.tolist() for each in clusters.members()]
    derived = {
        "cluster_id": list(range(len(members))),
        "members": members,
        "size": [len(each) for each in members],
        "members_sha": [members_sha(each) for each in members],
    }
    edges = place.path(paths.EDGES)
    if edges.is_file():
        derived["n_pairs_present"] = pairs_present(edges, clusters)
    for name, values in derived.items():
        if table[name].to_pylist() != values:
            yield place.problem(path, f"{name} does not follow from {path.with_name('clusters.parquet').name}")
            return


def pairs_present(edges: Path, clusters: Clusters) -> list[int]:
    """Pairs inside each cluster that are edges."""
    largest = max(chain([-1], clusters.feature_ids[-1:].tolist()))
    cluster_of = np.full(largest + 2, -1, np.int64)
    cluster_of[clusters.feature_ids] = clusters.cluster_ids
    found = np.zeros(clusters.n_clusters, np.int64)
    for batch in iter_columns(edges, ["feature_a", "feature_b"]):
        a, b = (cluster_of[np.minimum(batch[name].astype(np.int64), largest + 1)] for name in batch)
        found += np.bincount(a[(a == b) & (a >= 0)], minlength=len(found))
    return [int(count) for count in found]


def check_numbers(place: Place, path: Path, clusterings: Mapping[str, Clusters]) -> Iterator[Problem]:
    """A table with one row a clustering: clusters, latents in them, the largest."""
    for row in read_table(path).to_pylist():
        clusters = clusterings.get(row["clustering"])
        if clusters is None or row.get("shift_seed") is not None:
            continue
        sizes = clusters.sizes.tolist()
        derived = dict(zip(SUMS, (len(sizes), sum(sizes), max(sizes, default=0)), strict=True))
        for name, value in derived.items():
            if (row[name] or 0) != value:
                yield place.problem(path, f"{name} of {row['clustering']} is {row[name]}, its clusters give {value}")
