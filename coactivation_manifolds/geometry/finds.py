"""What was found over a whole sweep: each cluster once, whatever thresholds it lives at, with one q over all of them.

The clusters of one sweep are not so many questions: the same latents come again at the next threshold. So equal and
alike sets are taken as one before Benjamini and Hochberg's correction. The set that stands for the others is chosen by
its stability and never by its p-value: the smallest of several p-values is none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from coactivation_manifolds.clustering.automatic import with_threshold
from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.clustering.merge_alike import merge_alike
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.geometry.nulls.p_values import q_values
from coactivation_manifolds.schemas import FINDS, SHAPE_NAMES, conform
from coactivation_manifolds.storage import PathLike, read_table, write_table

logger = logging.getLogger(__name__)

GRAPHS = ("coactivation", "cosine")
SUMMARY_COLUMNS = ("cluster_id", "members", "members_sha", "size", "mean_jaccard", "cosine_best_jaccard")

Row = dict[str, Any]


class ClusteringFiles(NamedTuple):
    """A clustering whose clusters were tested, and its files."""

    name: str
    summary: PathLike
    tests: PathLike
    scores: PathLike


def collect_finds(
    clusterings: Sequence[ClusteringFiles], *, least_jaccard: float, max_q: float, finds_path: PathLike
) -> None:
    """Write ``finds.parquet``: every tested cluster of the sweep once, called ones first.

    Parameters
    ----------
    clusterings
        Files of each, in the order of the sweep.
    least_jaccard
        Sets of latents of at least this Jaccard are taken as one.
    max_q
        Largest q of a call.
    finds_path
        The file to write. Clusterings made from co-activation and from cosine are two families: sets of one are not
        merged with the other's, each has its own q. The footer tells ``n_tested`` and ``smallest_q`` of each.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged, or files are not of one another.

    """
    rows: list[Row] = []
    record: dict[str, str] = {}
    for graph in GRAPHS:
        own = [each for each in clusterings if graph_of(each.name) == graph]
        found = merged_rows([row for each in own for row in tested_rows(each)], least_jaccard=least_jaccard)
        rows += called_rows(found, max_q=max_q)
        most = max((most_draws(each.scores) for each in own), default=0.0)
        record[f"n_clusterings_{graph}"] = str(len(own))
        record[f"n_tested_{graph}"] = str(len(found))
        record[f"smallest_q_{graph}"] = repr(min(1.0, len(found) / (1 + most))) if found else ""
        logger.info("%s: %d clusters of %d clusterings, each once", graph, len(found), len(own))
    rows.sort(key=_rank)
    for number, row in enumerate(rows):
        row["find_id"] = number
    write_table(
        conform({name: [row[name] for row in rows] for name in FINDS.names}, FINDS), finds_path, metadata=record
    )


def graph_of(clustering: str) -> str:
    """``cosine`` or ``coactivation``: the family that a clustering's clusters are tested in."""
    return GRAPHS[parse_spec(clustering).from_cosine]


def tested_rows(clustering: ClusteringFiles) -> Iterator[Row]:
    """One row for each tested cluster of a clustering: its members, tests and scores.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged, or lacks a cluster that another holds.

    """
    summary = read_table(clustering.summary, columns=SUMMARY_COLUMNS)
    members = _by_cluster(summary)
    threshold = float(with_threshold(parse_spec(clustering.name), footer(summary.schema)).threshold)
    scores = _by_cluster(read_table(clustering.scores))
    for cluster, test in _by_cluster(read_table(clustering.tests)).items():
        if cluster not in members or cluster not in scores:
            raise ResultsError(
                f"{clustering.tests} has cluster {cluster}, which {clustering.summary} or {clustering.scores} lacks: "
                "delete it and run the same command again"
            )
        own = {"clustering": clustering.name, "threshold": threshold}
        yield scores[cluster] | test | members[cluster] | own


def merged_rows(rows: Sequence[Row], *, least_jaccard: float) -> list[Row]:
    """Like sets once, with the clusterings and thresholds that they were found at.

    The most stable set stands for those like it; of equally stable ones that of larger mean Jaccard, then of more
    members, then the first by ``members_sha``. None of this looks at p-values or statistics.
    """
    order = sorted(rows, key=_preference)
    merged = []
    for group in merge_alike([row["members"] for row in order], least_jaccard=least_jaccard):
        alike = [order[number] for number in group.alike]
        found_in = {row["clustering"] for row in alike}
        thresholds = [row["threshold"] for row in alike]
        merged.append(
            order[group.chosen]
            | {
                "graph": graph_of(order[group.chosen]["clustering"]),
                "clusterings": list(dict.fromkeys(row["clustering"] for row in rows if row["clustering"] in found_in)),
                "min_threshold": min(thresholds),
                "max_threshold": max(thresholds),
                "n_sets": len({row["members_sha"] for row in alike}),
            }
        )
    return merged


def called_rows(rows: Sequence[Row], *, max_q: float) -> list[Row]:
    """The rows with q over all of them, and what they are called for it.

    A row of a larger q, or in which no shape holds, is a mixture or a blob, whatever its clustering's scores say.
    """
    q = q_values([row["p_any"] for row in rows]).tolist() if rows else []
    found = []
    for row, value in zip(rows, q, strict=True):
        is_called = value <= max_q and row["candidate"] is not None
        found.append(
            row
            | {
                "q_value": value,
                "shape": row["candidate"] if is_called else row["if_not_called"],
                "basis": row["candidate_basis"] if is_called else None,
                "n_vertices": row["candidate_vertices"] if is_called else None,
                "effect": row["effect"] if is_called else None,
                "p_connected": row["p_connected"] if is_called else None,
            }
        )
    return found


def most_draws(scores_path: PathLike) -> float:
    """The most draws that a cluster of a clustering had, or would have had as a find, as its scores' footer tells."""
    record = footer(read_table(scores_path, columns=["cluster_id"]).schema)
    if not record.get("smallest_q") or not int(record["n_tested"]):
        return 0.0
    return int(record["n_tested"]) / float(record["smallest_q"]) - 1


def _preference(row: Row) -> tuple[float, float, int, str]:
    return (-(row["stability"] or 0.0), -(row["mean_jaccard"] or 0.0), -row["size"], row["members_sha"])


def _rank(row: Row) -> tuple[bool, float, float, str, str]:
    return (row["shape"] not in SHAPE_NAMES, row["q_value"], -(row["effect"] or 0.0), row["graph"], row["members_sha"])


def _by_cluster(table: pa.Table) -> Mapping[int, Row]:
    return {row["cluster_id"]: row for row in table.to_pylist()}
