"""The files of counting and similarity against counts derived anew: in full where that is cheap, else for a sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from coactivation_manifolds import paths
from coactivation_manifolds.cooccurrence.floor import Fraction, exact_fraction, reaches
from coactivation_manifolds.cooccurrence.pair_files import stated_floor
from coactivation_manifolds.similarity.affinities import jaccard
from coactivation_manifolds.similarity.edges import EdgeFilters
from coactivation_manifolds.storage import read_array, read_json, read_table
from coactivation_manifolds.verify.pair_tables import ABSENT, Array, first_difference, iter_columns, partners
from coactivation_manifolds.verify.place import Place
from coactivation_manifolds.verify.raw_counts import RawCounts
from coactivation_manifolds.verify.repair import Problem


def check_shard(place: Place, shard: str, raw: RawCounts) -> Iterator[Problem]:
    """Both passes over one shard, its marginals and its totals."""
    marginals = place.path(paths.SHARD_MARGINALS, shard=shard)
    if marginals.is_file() and not np.array_equal(read_array(marginals), raw.marginals):
        yield place.problem(marginals, "differs from the firings of the shard's latents")
    totals = place.path(paths.SHARD_TOTALS, shard=shard)
    if totals.is_file():
        yield from differing_totals(place, totals, raw, what="the shard's activations")
    counts = place.path(paths.SHARD_COUNTS, shard=shard)
    if not counts.is_file():
        return
    floor = stated_floor(counts)
    kept = np.zeros_like(raw.joint, bool)
    if floor is not None:
        kept = pairs_at(raw, exact_fraction(floor, name="jaccard_floor"))
        stated = partners(counts, raw.sample, len(raw.fired), value="n_ab")
        yield from difference(place, counts, raw, stated, np.where(kept, raw.joint, ABSENT))
    recount, candidates = place.path(paths.SHARD_RECOUNT, shard=shard), place.path(paths.CANDIDATES)
    if floor is not None and recount.is_file() and candidates.is_file():
        wanted = partners(candidates, raw.sample, len(raw.fired)) > 0
        stated = partners(recount, raw.sample, len(raw.fired), value="n_ab")
        derived = np.where(wanted & ~kept & (raw.joint > 0), raw.joint, ABSENT)
        yield from difference(place, recount, raw, stated, derived)


def pairs_at(raw: RawCounts, floor: Fraction) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which pairs of the sample with any latent reach a floor, bool [len(sample), n_latents]."""
    n_a, n_b = raw.marginals[raw.sample][:, None], raw.marginals[None, :]
    found = reaches(raw.joint, n_a, n_b, floor)
    found[np.arange(len(raw.sample)), raw.sample] = False
    return found


def difference(place: Place, path: Path, raw: RawCounts, stated: Array, derived: Array) -> Iterator[Problem]:
    """The first difference of a table of pairs, if there is one."""
    what = first_difference(raw.sample, stated, derived)
    if what is not None:
        yield place.problem(path, what)


def differing_totals(place: Place, path: Path, raw: RawCounts, *, what: str) -> Iterator[Problem]:
    """Tokens, entries and histogram of a file of totals."""
    content = read_json(path)
    derived = {
        "n_tokens": raw.n_tokens,
        "n_entries": raw.n_entries,
        "k_t": [[k, raw.tokens_by_k[k]] for k in sorted(raw.tokens_by_k)],
    }
    for key, value in derived.items():
        if content.get(key) != value:
            shown = f"{content.get(key)}, {what} give {value}" if key != "k_t" else f"not the histogram of {what}"
            yield place.problem(path, f"{key} is {shown}")


def check_sums(place: Place, raw: RawCounts) -> Iterator[Problem]:
    """What is made of all shards: totals, firings of each latent, edges."""
    totals, edges = place.path(paths.TOTALS), place.path(paths.EDGES)
    if totals.is_file():
        yield from differing_totals(place, totals, raw, what="all shards")
    if totals.is_file() and edges.is_file():
        yield from check_edges(place, edges, totals, raw)
    firings = place.path(paths.FEATURE_COUNTS)
    if firings.is_file():
        counted = read_table(firings, columns=["feature_id", "count"])
        right = counted["feature_id"].to_pylist() == list(range(len(raw.fired)))
        if not right or not np.array_equal(counted["count"].to_numpy(), raw.fired):
            yield place.problem(firings, "differs from the firings of the latents, added up over the shards")
    stats = place.path(paths.SHARD_STATS)
    if stats.is_file():
        table = read_table(stats, columns=["n_tokens", "n_entries"])
        if [sum(table[name].to_pylist()) for name in table.column_names] != [raw.n_all_tokens, raw.n_all_entries]:
            yield place.problem(stats, "its tokens or entries differ from those of the shards")


def check_edges(place: Place, edges: Path, totals: Path, raw: RawCounts) -> Iterator[Problem]:
    """Every edge's order, marginals and Jaccard; all pairs of the sampled latents."""
    n_latents, settings = len(raw.fired), read_json(totals)
    n_rows, last = 0, -1
    for batch in iter_columns(edges, ["feature_a", "feature_b", "n_a", "n_b", "n_ab", "jaccard"]):
        a, b, n_a, n_b, n_ab = (batch[name].astype(np.int64) for name in list(batch)[:5])
        key = a * n_latents + b
        ordered = not len(a) or (int(key[0]) > last and bool((np.diff(key) > 0).all() and (a < b).all()))
        if not ordered or (len(b) and int(b.max()) >= n_latents):
            yield place.problem(edges, "its pairs are not ordered by (feature_a, feature_b), or a latent is none")
            return
        if not (np.array_equal(n_a, raw.marginals[a]) and np.array_equal(n_b, raw.marginals[b])):
            yield place.problem(edges, "its n_a or n_b differ from the sums of the shards' marginals")
            return
        if not np.array_equal(batch["jaccard"], jaccard(n_ab, n_a, n_b)):
            yield place.problem(edges, "a Jaccard does not follow from its counts")
            return
        n_rows, last = n_rows + len(a), int(key[-1]) if len(a) else last
    if n_rows != settings.get("n_edges"):
        yield place.problem(edges, f"has {n_rows:,} rows, {totals} says {settings.get('n_edges')}")
    filters = filters_of(settings)
    passing = filters.latents(raw.marginals, raw.n_tokens)
    wanted = pairs_at(raw, filters.jaccard_floor) & (raw.joint >= filters.min_count)
    wanted &= passing[raw.sample][:, None] & passing[None, :]
    stated = partners(edges, raw.sample, n_latents, value="n_ab")
    yield from difference(place, edges, raw, stated, np.where(wanted, raw.joint, ABSENT))


def filters_of(settings: dict[str, float | int | None]) -> EdgeFilters:
    """The filters that totals.json says the edges were made with."""
    density = settings["max_density"]
    return EdgeFilters(
        jaccard_floor=exact_fraction(str(settings["jaccard_floor"]), name="jaccard_floor"),
        min_count=int(settings["min_count"] or 0),
        min_firings=int(settings["min_firings"] or 0),
        max_density=None if density is None else exact_fraction(str(density), name="max_density"),
    )
