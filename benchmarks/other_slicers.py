"""Slices of chosen latents by scanning the Parquet files of all tokens, as one would without an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Slice = tuple[Array, Array]
"""token_index int64 [n], ascending, and activations float32 [n, k], columns as the latents are named."""


def dense_slice(token_index: Array, latents: Array, values: Array, chosen: list[int]) -> Slice:
    """The tokens and a dense block, from one row for each entry."""
    tokens, row = np.unique(token_index, return_inverse=True)
    dense = np.zeros((len(tokens), len(chosen)), np.float32)
    order = np.argsort(chosen)
    dense[row, order[np.searchsorted(np.asarray(chosen)[order], latents)]] = values
    return tokens, dense


def polars_scans(files: str, chosen: list[int]) -> dict[str, Callable[[], Slice]]:
    """Ways to ask polars; empty where it is not installed."""
    try:
        import polars as pl
    except ImportError:
        return {}
    kind = pl.UInt16
    wanted = pl.Series(chosen, dtype=kind)

    def scan() -> Any:
        return pl.scan_parquet(files).select("token_index", "feature_ids", "activations")

    def collected(plan: Any) -> Slice:
        table = plan.explode("feature_ids", "activations").filter(pl.col("feature_ids").is_in(wanted.implode()))
        columns = table.collect(engine="streaming")
        values = columns["activations"].cast(pl.Float32).to_numpy()
        return dense_slice(columns["token_index"].to_numpy(), columns["feature_ids"].to_numpy(), values, chosen)

    has_any = pl.any_horizontal(pl.col("feature_ids").list.contains(pl.lit(latent, kind)) for latent in chosen)
    return {
        "polars, explode and filter": lambda: collected(scan()),
        "polars, list.contains": lambda: collected(scan().filter(has_any)),
        "polars, list.set_intersection": lambda: collected(
            scan().filter(pl.col("feature_ids").list.set_intersection(pl.lit(wanted.implode())).list.len() > 0)
        ),
    }


def duckdb_scans(files: str, chosen: list[int], *, threads: int) -> dict[str, Callable[[], Slice]]:
    """Ways to ask DuckDB; empty where it is not installed."""
    try:
        import duckdb
    except ImportError:
        return {}
    connection = duckdb.connect(config={"threads": threads})
    listed = ", ".join(map(str, chosen))

    def asked(where: str) -> Slice:
        columns = connection.execute(
            "SELECT token_index, latent, value FROM (SELECT token_index, unnest(feature_ids) AS latent, "
            f"unnest(activations) AS value FROM read_parquet('{files}') {where}) WHERE latent IN ({listed})"
        ).fetchnumpy()
        return dense_slice(columns["token_index"], columns["latent"], columns["value"], chosen)

    return {
        "DuckDB, unnest and filter": lambda: asked(""),
        "DuckDB, list_has_any": lambda: asked(f"WHERE list_has_any(feature_ids, [{listed}]::USMALLINT[])"),
    }
