"""What is found by chance, for the experiment's page: the experiment beside its shifted controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coactivation_manifolds.storage import PathLike, read_table


def compare_with_controls(shifts_path: PathLike | None, *, headline: str) -> dict[str, Any] | None:
    """The shifted controls for the page: rows by clustering, the experiment's beside the controls' means; None without.

    ``edges`` and ``significant`` are pairs (experiment, mean of controls), as are the numbers in the rows; ``points``
    those of the headline clustering's clusters with points enough, where it is one of co-activation.
    """
    if shifts_path is None:
        return None
    table = read_table(shifts_path).to_pylist()
    own = [row for row in table if row["shift_seed"] is None]
    controls = [row for row in table if row["shift_seed"] is not None]

    def beside(row: Mapping[str, Any], column: str) -> tuple[float, float]:
        values = [control[column] for control in controls if control["clustering"] == row["clustering"]]
        return row[column], sum(values) / len(values)

    opened = next((row for row in own if row["clustering"] == headline), None)
    return {
        "n_controls": len({row["shift_seed"] for row in controls}),
        "edges": beside(own[0], "n_edges") if own else None,
        "significant": beside(own[0], "n_edges_significant") if own else None,
        "points": beside(opened, "n_with_points") if opened else None,
        "rows": [
            {
                "clustering": row["clustering"],
                "n_clusters": beside(row, "n_clusters"),
                "n_clustered": beside(row, "n_clustered"),
                "max_size": beside(row, "max_size"),
            }
            for row in own
        ],
    }
