"""Numbers and bars from the rows of planted worlds (``planted_results``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.ranking import order_of
from coactivation_manifolds.geometry.shapes.irreducibility import engels_rank

Array = npt.NDArray[Any]
Row = dict[str, Any]

SHAPES = ("circle", "arc", "simplex", "helix", "line")
NEGATIVES = ("blob", "mixture")
CALLS = ("circle", "simplex", "helix", "curve", "none", "not found")
REASONS = ("not found", "not tested", "p above 0.05", "q above 0.05", "no shape holds", "another name")
MAX_Q = 0.05
CURVE_POINTS = 60


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """Everything that the page shows of planted worlds."""
    moderate = [row for row in rows if row["tier"] == "moderate" and row["truth"]]
    negatives = [row for row in rows if row["kind"] in (*NEGATIVES, "sheet")]
    found = [row for row in rows if row["recovered"]]
    return {
        "n_shapes": sum(row["truth"] is not None for row in rows),
        "n_moderate": len(moderate),
        "n_negatives": len(negatives),
        "recovery": {"moderate": share(moderate, lambda row: row["recovered"])}
        | {kind: share(of_kind(moderate, kind), lambda row: row["recovered"]) for kind in SHAPES},
        "right": {"moderate": share(moderate, is_right)}
        | {kind: share(of_kind(moderate, kind), is_right) for kind in SHAPES}
        | {f"simplex, {k} vertices": share(with_vertices(moderate, k), is_right) for k in (3, 4, 5)},
        "right_vertices": share(
            [row for row in moderate if row.get("shape") == "simplex" == row["truth"]],
            lambda row: row["n_vertices_found"] == row["n_vertices"],
        ),
        "by_rows": by_field(moderate, "rows"),
        "by_code": by_field(moderate, "code"),
        "by_d": by_field(moderate, "d"),
        "harder": {
            tier: {"recovered": share(there, lambda row: row["recovered"]), "right": share(there, is_right)}
            for tier in ("noise", "few points", "overlap")
            if (there := [row for row in rows if row["tier"] == tier])
        },
        "not_right": {kind: not_right(of_kind(moderate, kind)) for kind in SHAPES},
        "confusion": confusion([row for row in rows if row["tier"] == "moderate"]),
        "calibration": calibration(found),
        "false_calls": false_calls(rows),
        "roc": roc(found),
        "missed_by_cosine": share(
            [row for row in found if row["truth"]], lambda row: row["missed_found"] == row["missed_truth"]
        )
        | {"missed": sum(row["missed_truth"] for row in found if row["truth"])},
    }


def is_right(row: Row) -> bool:
    """Whether a planted shape was found and called by its name."""
    return bool(row["recovered"]) and row["shape"] == row["truth"]


def not_right(rows: Sequence[Row]) -> dict[str, int]:
    """Why shapes were not called right: how often each of ``REASONS``."""
    counts = Counter(reason for row in rows if (reason := _reason(row)) is not None)
    return {reason: counts[reason] for reason in REASONS}


def _reason(row: Row) -> str | None:
    if is_right(row):
        return None
    if not row["recovered"]:
        return "not found"
    if row["p_any"] is None:
        return "not tested"
    if row["shape"] is not None:
        return "another name"
    if row["p_any"] > MAX_Q:
        return "p above 0.05"
    return "no shape holds" if row["candidate"] is None else "q above 0.05"


def of_kind(rows: Sequence[Row], kind: str) -> list[Row]:
    """Rows of one kind."""
    return [row for row in rows if row["kind"] == kind]


def with_vertices(rows: Sequence[Row], k: int) -> list[Row]:
    """Simplices of k vertices."""
    return [row for row in rows if row["n_vertices"] == k]


def by_field(rows: Sequence[Row], field: str) -> dict[str, Any]:
    """Recovery and right calls for each value of a field."""
    return {
        str(value): {"recovered": share(there, lambda row: row["recovered"]), "right": share(there, is_right)}
        for value in sorted({row[field] for row in rows})
        if (there := [row for row in rows if row[field] == value])
    }


def share(rows: Sequence[Row], holds: Callable[[Row], bool]) -> dict[str, float]:
    """How many of how many, and the share; 0 of 0 has the share 0."""
    count = sum(bool(holds(row)) for row in rows)
    return {"count": count, "of": len(rows), "share": count / len(rows) if rows else 0.0}


def confusion(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Planted kind to call: how often."""
    table: dict[str, Counter[str]] = {}
    for row in rows:
        call = (row["shape"] or "none") if row["recovered"] else "not found"
        table.setdefault(row["variety"] if row["kind"] in NEGATIVES else row["kind"], Counter())[call] += 1
    order = sorted(table, key=lambda kind: SHAPES.index(kind) if kind in SHAPES else len(SHAPES) + (kind == "sheet"))
    return {kind: {call: table[kind][call] for call in CALLS} for kind in order}


def calibration(rows: Sequence[Row]) -> dict[str, Any]:
    """Share of p_any at most 0.05 and 0.01 on blobs and mixtures, by variety; two standard errors above is the bar."""
    tested = [row for row in rows if row["kind"] in NEGATIVES and row["p_any"] is not None]
    parts = {"all": tested} | {
        variety: [row for row in tested if row["variety"] == variety]
        for variety in dict.fromkeys(row["variety"] for row in tested)
    }
    return {
        name: {
            "of": len(there),
            **{
                str(level): {
                    "share": float(np.mean([row["p_any"] <= level for row in there])) if there else 0.0,
                    "most": level + 2 * np.sqrt(level * (1 - level) / max(1, len(there))),
                }
                for level in (0.05, 0.01)
            },
        }
        for name, there in parts.items()
    }


def false_calls(rows: Sequence[Row]) -> dict[str, Any]:
    """Calls at q <= 0.05 on what is no shape, among all calls; parts of planted shapes are counted beside them."""
    called = [row for row in rows if row.get("shape")]
    parts = [row for row in called if row["kind"].startswith("part of") and row["kind"][8:] in SHAPES]
    counted = [row for row in called if row not in parts]
    false = [row for row in counted if row["truth"] is None]
    n = len(counted)
    return {
        "calls": n,
        "false": len(false),
        "share": len(false) / n if n else 0.0,
        "most": MAX_Q + 2 * np.sqrt(MAX_Q * (1 - MAX_Q) / max(1, n)),
        "on": dict(Counter(row["variety"] or row["kind"] for row in false)),
        "parts_of_shapes": len(parts),
    }


def roc(rows: Sequence[Row]) -> dict[str, Any]:
    """Areas and curves of our ranks, and of p, Engels' ranking and the ripser ratio alone, on the same clusters."""
    there = [row for row in rows if row["kind"] in (*SHAPES, *NEGATIVES, "sheet") and row["p_any"] is not None]
    there = [row for row in there if row["tier"] == "moderate"]
    ranks = engels_rank({place: row["engels_planes"] for place, row in enumerate(there)})
    scores: dict[str, Array] = {
        "ours": by_rank(there),
        "p alone": by_p(there),
        "engels_rank": -np.array([ranks[place] for place in range(len(there))], dtype=np.float64),
    }
    if there and all(row["ripser_ratio"] is not None for row in there):
        scores["ripser ratio"] = np.array([row["ripser_ratio"] for row in there])
    truth = np.array([row["truth"] is not None for row in there], dtype=bool)
    plain = np.array([row["kind"] != "sheet" for row in there], dtype=bool)
    circles = np.array([row["kind"] == "circle" for row in there], dtype=bool)
    return {
        name: {
            "auc": area(values[plain], truth[plain]),
            "auc_with_sheets": area(values, truth),
            "auc_circles": area(values[plain & (circles | ~truth)], truth[plain & (circles | ~truth)]),
            "curve": curve(values[plain], truth[plain]),
        }
        for name, values in scores.items()
    }


def by_rank(rows: Sequence[Row]) -> Array:
    """Larger for a better rank in the product's order, among the clusters of all experiments."""
    return _descending(
        [order_of({"cluster_id": 0, "q_value": row["q"]} | row | {"shape": row["shape"] or "none"}) for row in rows]
    )


def by_p(rows: Sequence[Row]) -> Array:
    """Larger for smaller p_any, larger effects first among equals."""
    return _descending([(row["p_any"], -row["effect"]) for row in rows])


def _descending(keys: Sequence[tuple[Any, ...]]) -> Array:
    place = {key: rank for rank, key in enumerate(sorted(set(keys), reverse=True))}
    return np.array([place[key] for key in keys], dtype=np.float64)


def area(values: Array, truth: Array) -> float:
    """Area under the ROC curve: the share of pairs of a shape and none in the right order, ties half."""
    shapes, others = values[truth], values[~truth]
    if not len(shapes) or not len(others):
        return 0.0
    return float((np.sign(shapes[:, None] - others) / 2 + 0.5).mean())


def curve(values: Array, truth: Array) -> list[tuple[float, float]]:
    """Points of the ROC curve: share of false alarms, share of shapes found, at most 60."""
    cuts = np.unique(values)[::-1]
    steps = [
        (float((values[~truth] >= cut).mean()), float((values[truth] >= cut).mean()))
        for cut in cuts[:: max(1, len(cuts) // CURVE_POINTS)]
    ]
    return [(0.0, 0.0), *((round(x, 4), round(y, 4)) for x, y in steps), (1.0, 1.0)]
