"""The deep checks of one experiment: its numbers derived anew from its activations, read once, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from coactivation_manifolds import paths
from coactivation_manifolds.activations.activation_reader import read_manifests
from coactivation_manifolds.errors import CoactivationError
from coactivation_manifolds.storage import read_array, read_table
from coactivation_manifolds.verify.cluster_checks import check_clusterings
from coactivation_manifolds.verify.counts import check_shard, check_sums
from coactivation_manifolds.verify.index_checks import IndexCheck
from coactivation_manifolds.verify.pair_tables import Array
from coactivation_manifolds.verify.place import Place
from coactivation_manifolds.verify.raw_counts import RawCounts, TokensOfMembers, raw_parts
from coactivation_manifolds.verify.repair import Problem
from coactivation_manifolds.verify.shape_checks import check_shapes

MAX_COUNTS = 20_000_000
"""Joint counts that are held: latents of the sample times all latents, 160 MB."""


def verify_deep(place: Place, *, sample: int, seed: int) -> Iterator[Problem]:
    """Derive what can be derived from the activations of an experiment or control, and compare.

    In full: tokens, firings and totals of every shard and of all, offsets and tokens of the index, order, marginals and
    Jaccard of every edge, every clustering, and what follows from the p-values of shapes. For a sample of latents: all
    their pairs, in every table of pairs, and their postings. For a sample of clusters: the tokens on which their
    members fire.

    Parameters
    ----------
    place
        What to look at.
    sample
        Latents, and clusters of each table, that are looked at; fewer where there are very many latents.
    seed
        Of the sample.

    """
    if not place.manifests:
        return
    rng = np.random.default_rng(seed)
    try:
        contents = read_manifests([path for _, path in place.manifests])
        n_latents = int(contents[0]["n_latents"])
        latents = sampled_latents(place, n_latents, min(sample, max(1, MAX_COUNTS // n_latents)), rng)
        yield from check_activations(place, latents, n_latents, sampled_clusters(place, sample, rng))
        yield from check_clusterings(place, n_latents)
        yield from check_shapes(place)
    except CoactivationError as error:
        what = f"can't be checked further: {' '.join(str(error).split())}"
        yield Problem(place.folder / place.inner, what)


def check_activations(
    place: Place, latents: Array, n_latents: int, stated: Sequence[TokensOfMembers]
) -> Iterator[Problem]:
    """Everything that is counted over the tokens, in one pass over them."""
    total = RawCounts.empty(latents, n_latents)
    index, problem = open_index(place, latents)
    if problem is not None:
        yield problem
    for shard, manifest in place.manifests:
        raw = RawCounts.empty(latents, n_latents)
        positions = window(place, shard)
        for rows in raw_parts(manifest):
            raw.add_rows(rows, positions)
            if index is not None:
                index.add_rows(rows)
            for each in stated:
                each.add_rows(rows)
        yield from check_shard(place, shard, raw)
        total.add(raw)
    yield from check_sums(place, total)
    if index is not None:
        yield from index.problems(total.fired)
    for each in stated:
        if each.found != each.stated:
            what = f"{each.column} of cluster {each.cluster} is {each.stated:,}, the activations give {each.found:,}"
            yield place.problem(each.path, what)


def open_index(place: Place, latents: Array) -> tuple[IndexCheck | None, Problem | None]:
    """The index where there is one, or why it can't be opened."""
    offsets = place.path(paths.INDEX_OFFSETS)
    if not offsets.is_file():
        return None, None
    try:
        return IndexCheck(place, latents), None
    except CoactivationError as error:
        return None, place.problem(offsets, " ".join(str(error).split()))


def window(place: Place, shard: str) -> Any:
    """The window of positions that a shard was counted with, as its record says; None is all tokens."""
    params = place.params_of(place.path(paths.SHARD_COUNTS, shard=shard))
    return None if params is None else params.get("positions")


def sampled_latents(place: Place, n_latents: int, size: int, rng: np.random.Generator) -> Array:
    """Latents that fire, at random."""
    fired = np.zeros(n_latents, np.int64)
    for shard, _ in place.manifests:
        marginals = place.path(paths.SHARD_MARGINALS, shard=shard)
        found = read_array(marginals) if marginals.is_file() else np.ones(n_latents, np.int64)
        fired += found if found.shape == fired.shape else 1
    firing = np.flatnonzero(fired)
    return np.sort(rng.choice(firing, min(size, len(firing)), replace=False)).astype(np.int64)


def sampled_clusters(place: Place, size: int, rng: np.random.Generator) -> list[TokensOfMembers]:
    """Numbers of tokens that tables state of clusters, of some clusters at random."""
    found = []
    for path, _ in place.tables_with("cluster_id", "n_tokens_any", "members"):
        for row in some(read_table(path, columns=["cluster_id", "members", "n_tokens_any"]).to_pylist(), size, rng):
            members, stated = row["members"], int(row["n_tokens_any"])
            found.append(TokensOfMembers(path, "n_tokens_any", row["cluster_id"], members, stated))
    for path, wildcards in place.tables_with("cluster_id", "n_points"):
        if "clustering" not in wildcards:
            continue
        summary = place.path(paths.CLUSTERS_SUMMARY, clustering=wildcards["clustering"])
        settings = place.settings_of(wildcards["clustering"])
        if settings is None or not summary.is_file():
            continue
        table = read_table(summary, columns=["cluster_id", "members"]).to_pylist()
        members_of = {row["cluster_id"]: row["members"] for row in table}
        for row in some(read_table(path, columns=["cluster_id", "n_points"]).to_pylist(), size, rng):
            members = members_of.get(row["cluster_id"], [])
            found.append(
                TokensOfMembers(
                    path,
                    "n_points",
                    row["cluster_id"],
                    members,
                    int(row["n_points"]),
                    min_active=int(settings["min_active"]),
                    positions=settings.get("positions"),
                )
            )
    return found


def some(rows: list[dict[str, Any]], size: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Some rows at random, in their order."""
    if not rows:
        return []
    chosen = rng.choice(len(rows), min(size, len(rows)), replace=False)
    return [rows[number] for number in np.sort(chosen).tolist()]
