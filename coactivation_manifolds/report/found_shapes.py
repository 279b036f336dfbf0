"""What the experiment's page opens with: the shapes found, what they were tested against, and what was not tested."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coactivation_manifolds.report.cluster_rows import ClusterTableRow
from coactivation_manifolds.report.finds import read_families, read_finds
from coactivation_manifolds.report.templates import image_data
from coactivation_manifolds.schemas import SHAPE_NAMES
from coactivation_manifolds.storage import PathLike, read_json, read_table

FIGURES = 3
"""Finds whose figures stand in the page itself (about 70 kB each); all shown ones are in the gallery."""
MAX_LISTED = 200

IN_WORDS = {
    "too large": "too large",
    "too small": "too small",
    "too few points": "of too few points",
    "no shape": "of points that are one and the same",
}
KINDS = {
    "coactivation": "by co-activation",
    "cosine": "by decoder cosine",
    "both": "by both",
    "shifted": "in the shifted control",
}


def found_shapes(
    finds_path: PathLike, summary_path: PathLike, gallery_folder: PathLike, *, report: Path
) -> dict[str, Any]:
    """The shapes found over the whole sweep, for the page: rows, readings, figures, the headline table.

    Parameters
    ----------
    finds_path, summary_path
        ``finds.parquet`` and ``finds_summary.parquet``.
    gallery_folder
        The gallery; its finds are linked.
    report
        The page, to which links are relative.

    """
    gallery = Path(gallery_folder)
    finds = read_finds(finds_path)
    readings = read_json(gallery / "readings.json")["readings"]
    shown = [find for find in finds if str(find.find_id) in readings]
    return {
        "finds": finds[:MAX_LISTED],
        "n_finds": len(finds),
        "readings": {find.find_id: readings[str(find.find_id)] for find in shown},
        "figures": [(find, image_data(gallery / find.folder / "shape.png")) for find in shown[:FIGURES]],
        "families": read_families(finds_path),
        "headline": headline_rows(read_table(summary_path).to_pylist()),
        "gallery": os.path.relpath(gallery / "index.html", report.parent),
    }


def headline_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the headline table with the names of their kinds; a row of nothing tested says so."""
    named = []
    for row in rows:
        name = KINDS[row["kind"]]
        if row["shift_seed"] is not None:
            name += f", seed {row['shift_seed']}"
        counts = {shape: row[f"n_{shape}"] for shape in SHAPE_NAMES}
        named.append({**row, "name": name, "counts": counts})
    return named


def tested_counts(rows: Sequence[ClusterTableRow]) -> tuple[int, list[tuple[str, int]]]:
    """How many clusters of a clustering were tested, and for each reason how many were not."""
    reasons = Counter(IN_WORDS[row.reason.split(":")[0]] for row in rows if row.reason is not None)
    return sum(row.reason is None for row in rows), reasons.most_common()
