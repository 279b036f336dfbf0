"""The headline table: how many shapes co-activation finds, how many cosine, how many both, how many chance."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.schemas import FINDS, FINDS_SUMMARY, SHAPE_NAMES, conform, require_columns
from coactivation_manifolds.storage import PathLike, read_table, write_table

logger = logging.getLogger(__name__)

FOUND_BY_BOTH = 0.5
"""A find of co-activation is one of cosine too where their sets of latents have at least this Jaccard: the bound of
``missed_by_cosine``."""

Row = dict[str, Any]


def summarize_finds(
    finds_path: PathLike, *, control_paths: Sequence[PathLike], seeds: Sequence[int], summary_path: PathLike
) -> None:
    """Write ``finds_summary.parquet``: rows ``coactivation``, ``cosine``, ``both``, and one for each shifted control.

    Parameters
    ----------
    finds_path
        ``finds.parquet`` of the experiment.
    control_paths, seeds
        ``finds.parquet`` of its shifted controls, and their seeds.
    summary_path
        The file to write. A row of a family that was not tested has ``n_clusterings`` 0 and null numbers: nothing was
        looked for there, so nothing is said to be absent.

    Raises
    ------
    InputError
        A file is missing or damaged.

    """
    own, record = _finds(finds_path)
    called = {graph: [row for row in own if _is_called(row, graph)] for graph in ("coactivation", "cosine")}
    rows = [_row(graph, own, record, graph=graph) for graph in called]
    rows.append(_both(called["coactivation"], called["cosine"], is_known=all(row["n_clusterings"] for row in rows)))
    for path, seed in zip(control_paths, seeds, strict=True):
        finds, of_control = _finds(path)
        rows.append(_row("shifted", finds, of_control, graph="coactivation") | {"shift_seed": seed})
    columns = {name: [row.get(name) for row in rows] for name in FINDS_SUMMARY.names}
    write_table(conform(columns, FINDS_SUMMARY), summary_path)
    for row in rows:
        logger.info("%s: %s called of %s tested", row["kind"], row.get("n_called"), row.get("n_tested"))


def also_found(finds: Sequence[Row], others: Sequence[Row], *, least_jaccard: float = FOUND_BY_BOTH) -> list[Row]:
    """Those of ``finds`` with a set of latents alike to one of ``others``."""
    sets = [set(other["members"]) for other in others]

    def is_alike(row: Row) -> bool:
        own = set(row["members"])
        return any(len(own & other) >= least_jaccard * len(own | other) for other in sets)

    return [row for row in finds if is_alike(row)]


def _finds(path: PathLike) -> tuple[list[Row], dict[str, str]]:
    table = read_table(path)
    require_columns(table, FINDS, str(path))
    return table.to_pylist(), footer(table.schema)


def _is_called(row: Row, graph: str) -> bool:
    return row["graph"] == graph and row["shape"] in SHAPE_NAMES


def _row(kind: str, finds: Sequence[Row], record: dict[str, str], *, graph: str) -> Row:
    """What one family found."""
    n_clusterings = int(record[f"n_clusterings_{graph}"])
    if not n_clusterings:
        return {"kind": kind, "n_clusterings": 0}
    smallest = record[f"smallest_q_{graph}"]
    return {
        "kind": kind,
        "n_clusterings": n_clusterings,
        "n_tested": int(record[f"n_tested_{graph}"]),
        "smallest_q": float(smallest) if smallest else None,
    } | _counts([row for row in finds if _is_called(row, graph)])


def _both(coactivation: Sequence[Row], cosine: Sequence[Row], *, is_known: bool) -> Row:
    return {"kind": "both"} | (_counts(also_found(coactivation, cosine)) if is_known else {})


def _counts(called: Sequence[Row]) -> Row:
    shapes = [row["shape"] for row in called]
    missed = [row["missed_by_cosine"] for row in called if row["missed_by_cosine"] is not None]
    return {
        "n_called": len(called),
        **{f"n_{shape}": shapes.count(shape) for shape in SHAPE_NAMES},
        "n_missed_by_cosine": sum(missed) if missed or not called else None,
    }
