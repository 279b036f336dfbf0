"""The clusters of a clustering by shape: q-values, calls, and which to look at first."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.geometry.nulls.p_values import q_values
from coactivation_manifolds.schemas import SCORES, SHAPE_NAMES, conform
from coactivation_manifolds.storage import PathLike, read_table, write_table

logger = logging.getLogger(__name__)

Row = dict[str, Any]


def rank_clusters(
    tests_path: PathLike,
    *,
    variance_path: PathLike,
    summary_path: PathLike,
    stability_path: PathLike,
    connected_sets_path: PathLike,
    max_q: float,
    scores_path: PathLike,
) -> None:
    """Write ``scores.parquet``: every cluster within the size bounds, with its shape, q-values and rank.

    Parameters
    ----------
    tests_path, variance_path, summary_path, stability_path, connected_sets_path
        What is known of the clustering's clusters.
    max_q
        Largest q of a call.
    scores_path
        The file to write, in the order of the summary. q is by Benjamini and Hochberg over the tested clusters, for
        each shape and for the smallest p of a cluster (``q_any``, which is ``q_value``: testing several shapes is paid
        for). A cluster is called by its candidate's name where q_any is at most ``max_q``; ``mixture`` or ``blob``
        where not; columns of the test are null where none was made. The footer tells ``n_tested`` and ``smallest_q``,
        the smallest q that a single find could have reached.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged, or files are not of one another.

    """
    tests = read_table(tests_path)
    rows = {row["cluster_id"]: row for row in read_table(variance_path).to_pylist()}
    for row in tested_rows(tests.to_pylist(), max_q=max_q):
        if row["cluster_id"] not in rows:
            raise ResultsError(
                f"{tests_path} has cluster {row['cluster_id']}, which {variance_path} lacks: delete it and run the "
                "same command again"
            )
        rows[row["cluster_id"]] |= row
    _add(rows, summary_path, ("missed_by_cosine",))
    _add(rows, stability_path, ("stability_seeds", "stability_shards", "stability_sweep", "stability"))
    _add(rows, connected_sets_path, ("p_connected",))
    for rank, row in enumerate(sorted(rows.values(), key=order_of), start=1):
        row["rank"] = rank
    columns = {name: [row.get(name) for row in rows.values()] for name in SCORES.names}
    record = {key: footer(tests.schema)[key] for key in ("n_tested", "smallest_q")}
    write_table(conform(columns, SCORES), scores_path, metadata=record)
    _tell([row.get("shape") for row in rows.values()], record, max_q=max_q)


def tested_rows(tests: Sequence[Row], *, max_q: float) -> Iterator[Row]:
    """The tested clusters with their q-values, calls, and ranks by Engels' published score, from 0."""
    p_names = [f"{shape}_p" for shape in SHAPE_NAMES]
    q = {name: q_values([row[name] for row in tests]).tolist() for name in ("p_any", *p_names)} if tests else {}
    by_engels = sorted(range(len(tests)), key=lambda i: -tests[i]["engels_score"])
    engels_rank = {number: rank for rank, number in enumerate(by_engels)}
    for number, test in enumerate(tests):
        q_any = q["p_any"][number]
        is_called = q_any <= max_q and test["candidate"] is not None
        yield test | {
            "q_any": q_any,
            "q_value": q_any,
            **{f"{shape}_q": q[f"{shape}_p"][number] for shape in SHAPE_NAMES},
            "shape": test["candidate"] if is_called else test["if_not_called"],
            "basis": test["candidate_basis"] if is_called else None,
            "n_vertices": test["candidate_vertices"] if is_called else None,
            "effect": test["effect"] if is_called else None,
            "engels_rank": engels_rank[number],
        }


def order_of(row: Row) -> tuple[int, float, float, int]:
    """What clusters are ranked by, smallest first: shapes by q, then by how far they are beyond their null; then the
    tested others by (1 - M) S; then the rest.
    """
    if row.get("shape") in SHAPE_NAMES:
        return 0, row["q_value"], -row["effect"], row["cluster_id"]
    if row.get("shape") is not None:
        return 1, -(1 - row["mixture_index"]) * row["separability_bits"], 0.0, row["cluster_id"]
    return 2, 0.0, 0.0, row["cluster_id"]


def _add(rows: Mapping[int, Row], path: PathLike, columns: Sequence[str]) -> None:
    """Add columns of another table to the clusters that it has."""
    for row in read_table(path, columns=["cluster_id", *columns]).to_pylist():
        if row["cluster_id"] in rows:
            rows[row["cluster_id"]] |= row


def _tell(shapes: Sequence[str | None], record: Mapping[str, str], *, max_q: float) -> None:
    counts = ", ".join(f"{shapes.count(name)} {name}" for name in (*SHAPE_NAMES, "mixture", "blob"))
    logger.info("%s clusters tested: %s", record["n_tested"], counts)
    if not record["smallest_q"]:
        return
    logger.info("the smallest q that a single find could have reached: %.3g", float(record["smallest_q"]))
    if float(record["smallest_q"]) > max_q:
        logger.warning(
            "no single shape could have been found at q <= %g: too few null draws for so many clusters", max_q
        )
