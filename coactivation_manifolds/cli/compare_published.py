"""``compare-published RESULTS PUBLISHED``: which clusters of ours come nearest to published sets of latents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds import paths
from coactivation_manifolds.cli.results_folder import find_results
from coactivation_manifolds.clustering.published import NearestCluster, PublishedSet, nearest_cluster, read_published
from coactivation_manifolds.errors import ConfigError, ResultsError
from coactivation_manifolds.storage import open_table, read_table, write_table

RANKS = ("rank", "engels_rank")
"""Columns of scores.parquet that are shown as they are."""
MOST_SHOWN = 20
SCORES = ("separability_bits", "mixture_index")


class Clustering(NamedTuple):
    """Name, members of each cluster in the order of the ids, and their ranks where they were scored."""

    name: str
    clusters: list[npt.NDArray[np.int64]]
    ranks: dict[str, dict[int, int]]


def compare_published(name: str, published: str, *, out: str | None) -> int:
    """Print the nearest cluster of each published set, by co-activation and by decoder cosine; write all as Parquet.

    Raises
    ------
    ResultsError
        There are no such results, or no clusterings yet.
    ConfigError
        The published file is not YAML, or ``out`` lies among the results.
    InputError
        The published file's sets are not right, or a table is damaged.
    StorageError
        The file can't be written.

    """
    folder = find_results(name)
    if out is not None and Path(out).resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"--out {out} lies in {folder}, where only the workflow writes; choose another place")
    source, sets = read_published(Path(published))
    clusterings = list(read_clusterings(folder))
    if not clusterings:
        raise ResultsError(
            f"{folder} has no clusterings yet; make them with: snakemake --profile local {folder}/report.html"
        )
    rows = [row for wanted in sets if wanted.members is not None for row in compare_set(wanted, clusterings)]
    print(f"published: {source}")
    for wanted in sets:
        print("\n".join(text_of(wanted, [row for row in rows if row["set"] == wanted.name])))
    if out is not None:
        write_table(pa.Table.from_pylist(rows, schema=COMPARISON), Path(out))
        print(f"{out}: every clustering's nearest cluster")
    return 0


COMPARISON = pa.schema(
    [
        ("set", pa.string()),
        ("clustering", pa.string()),
        ("by_cosine", pa.bool_()),
        ("n_clusters", pa.int64()),
        ("n_scored", pa.int64()),
        ("cluster_id", pa.int32()),
        ("size", pa.int64()),
        ("jaccard", pa.float64()),
        ("found", pa.list_(pa.int64())),
        ("missing", pa.list_(pa.int64())),
        ("extra", pa.list_(pa.int64())),
        *((column, pa.int64()) for column in (*RANKS, "rank_irreducible")),
        ("published_rank", pa.int64()),
    ]
)


def read_clusterings(folder: Path) -> Iterator[Clustering]:
    """Those with a summary, then those of the cosine sweep that have none; each by name."""
    summaries = sorted(folder.glob(str(Path(*Path(paths.CLUSTERS_SUMMARY).parts[2:])).format(clustering="*")))
    for summary in summaries:
        clustering = summary.parent.name
        table = read_table(summary, columns=["cluster_id", "members"])
        by_id = dict(zip(table["cluster_id"].to_pylist(), table["members"].to_pylist(), strict=True))
        scores = folder / str(Path(*Path(paths.SCORES).parts[2:])).format(clustering=clustering)
        clusters = [np.array(by_id[number], np.int64) for number in sorted(by_id)]
        yield Clustering(clustering, clusters, read_ranks(scores) if scores.is_file() else {})
    sweep = folder / Path(*Path(paths.COSINE_SWEEP).parts[2:])
    if not sweep.is_file():
        return
    table = read_table(sweep, columns=["clustering", "feature_id", "cluster_id"])
    names, features, ids = (table[column].to_numpy() for column in ("clustering", "feature_id", "cluster_id"))
    for clustering in sorted(set(names.tolist()) - {summary.parent.name for summary in summaries}):
        chosen = names == clustering
        order = np.argsort(ids[chosen], kind="stable")
        ends = np.flatnonzero(np.diff(ids[chosen][order])) + 1
        yield Clustering(clustering, np.split(features[chosen][order].astype(np.int64), ends), {})


def read_ranks(scores: Path) -> dict[str, dict[int, int]]:
    """The ranks that a table of scores holds, and that by (1 - M) S from 1 where it holds S and M."""
    with open_table(scores) as parquet:
        known = set(parquet.schema_arrow.names)
    table = read_table(scores, columns=["cluster_id", *sorted(known & {*RANKS, *SCORES})])
    ids = table["cluster_id"].to_pylist()
    ranks = {
        column: {
            number: int(value)
            for number, value in zip(ids, table[column].to_pylist(), strict=True)
            if value is not None
        }
        for column in RANKS
        if column in known
    }
    if known >= set(SCORES):
        pairs = zip(*(table[column].to_pylist() for column in SCORES), strict=True)
        values = {number: (1 - m) * s for number, (s, m) in zip(ids, pairs, strict=True) if None not in (s, m)}
        ordered = sorted(values, key=lambda number: (-values[number], number))
        ranks["rank_irreducible"] = {number: place for place, number in enumerate(ordered, start=1)}
    return ranks


def compare_set(wanted: PublishedSet, clusterings: list[Clustering]) -> list[dict[str, Any]]:
    """One row of ``COMPARISON`` for each clustering."""
    assert wanted.members is not None
    rows = []
    for clustering in clusterings:
        nearest: NearestCluster = nearest_cluster(wanted.members, clustering.clusters)
        ranks = {
            column: clustering.ranks.get(column, {}).get(nearest.cluster_id) for column in (*RANKS, "rank_irreducible")
        }
        rows.append(
            {
                "set": wanted.name,
                "clustering": clustering.name,
                "by_cosine": clustering.name.startswith("cosine_"),
                "n_clusters": len(clustering.clusters),
                "n_scored": max(map(len, clustering.ranks.values()), default=0),
                **nearest._asdict(),
                **ranks,
                "published_rank": wanted.rank,
            }
        )
    return rows


def text_of(wanted: PublishedSet, rows: list[dict[str, Any]]) -> list[str]:
    """The best clustering of either kind, in words."""
    told = [f"{wanted.n_members} latents"]
    told += [f"mean cosine {wanted.mean_cosine:.2f}"] if wanted.mean_cosine is not None else []
    told += [f"published rank {wanted.rank}"] if wanted.rank is not None else []
    lines = [f"{wanted.name}: {', '.join(told)}"]
    if wanted.members is None:
        return [*lines, "  which latents is not known here, so there is nothing to compare with"]
    for kind, by_cosine in (("co-activation", False), ("decoder cosine", True)):
        some = [row for row in rows if row["by_cosine"] == by_cosine]
        if not some:
            lines.append(f"  by {kind}: no clustering yet")
            continue
        # of equally good clusterings the first by name, so that the text is the same each time
        best = max(some, key=lambda row: row["jaccard"])
        if best["cluster_id"] < 0:
            lines.append(f"  by {kind}: none of the latents is in a cluster")
            continue
        ranks = [f"{column} {best[column]}" for column in (*RANKS, "rank_irreducible") if best[column] is not None]
        scored = f"{', '.join(ranks)} among {best['n_scored']} scored" if ranks else "not scored"
        lines.append(
            f"  by {kind}: {best['clustering']} cluster {best['cluster_id']}, {len(best['found'])} of "
            f"{wanted.n_members} latents, {len(best['extra'])} others, Jaccard {best['jaccard']:.2f}, {scored}"
        )
        if best["missing"]:
            lines.append(f"    missing: {', '.join(map(str, best['missing']))}")
        if best["extra"]:
            more = len(best["extra"]) - MOST_SHOWN
            shown = ", ".join(map(str, best["extra"][:MOST_SHOWN]))
            lines.append(f"    others: {shown}{f' and {more} more' if more > 0 else ''}")
    return lines
