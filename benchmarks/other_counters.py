"""The same counts by other tools. A tool that is not installed is None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from coactivation_manifolds.cooccurrence.floor import Fraction
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts

Array = npt.NDArray[Any]


def scipy_product(offsets: Array, ids: Array, n_latents: int) -> Callable[[], Any]:
    """A.T @ A in float32: the product alone, with A made before."""
    shape = (len(offsets) - 1, n_latents)
    matrix = scipy.sparse.csr_matrix((np.ones(len(ids), np.float32), ids.astype(np.int32), offsets), shape=shape)
    return lambda: matrix.T @ matrix


def upper_triangle(product: Any, firings: Array, floor: Fraction) -> PairCounts:
    """Pairs that reach the floor, by (a, b), from a symmetric product."""
    p, q = floor
    product.sort_indices()
    a = np.repeat(np.arange(product.shape[0], dtype=np.int32), np.diff(product.indptr))
    upper = product.indices > a
    a, b, n = a[upper], product.indices[upper], product.data[upper].astype(np.int64)
    keep = n * q >= p * (firings[a] + firings[b] - n)
    return PairCounts(a[keep].astype(np.uint32), b[keep].astype(np.uint32), n[keep])


def graphblas_product(offsets: Array, ids: Array, n_latents: int, *, threads: int) -> Callable[[], Any] | None:
    """A.T plus_pair A with A stored by rows and by columns before; the product is finished, not lazy."""
    try:
        import graphblas
    except ImportError:
        return None
    graphblas.ss.config["nthreads"] = threads
    ones = np.ones(len(ids), np.int32)
    shape = {"nrows": len(offsets) - 1, "ncols": n_latents}
    matrix = graphblas.Matrix.from_csr(offsets, ids.astype(np.int64), ones, **shape)
    columns = matrix.T.new()
    matrix.wait("materialize")
    columns.wait("materialize")

    def product() -> Any:
        result = columns.mxm(matrix, graphblas.semiring.plus_pair[graphblas.dtypes.INT32]).new()
        result.wait("materialize")
        return result

    return product


def count_polars(offsets: Array, ids: Array, *, floor: Fraction) -> Callable[[], PairCounts] | None:
    """Self-join on the token, group by pair, both firings joined to it, floor, sort."""
    try:
        import polars as pl
    except ImportError:
        return None
    p, q = floor
    entries = pl.DataFrame(_columns(offsets, ids)).lazy()

    def count() -> PairCounts:
        firings = entries.group_by("latent").agg(pl.len().cast(pl.Int64).alias("n"))
        pairs = (
            entries.join(entries, on="token", suffix="_b")
            .filter(pl.col("latent") < pl.col("latent_b"))
            .group_by("latent", "latent_b")
            .agg(pl.len().cast(pl.Int64).alias("n_ab"))
            .join(firings, on="latent")
            .join(firings.rename({"latent": "latent_b", "n": "n_b"}), on="latent_b")
            .filter(pl.col("n_ab") * q >= p * (pl.col("n") + pl.col("n_b") - pl.col("n_ab")))
            .sort("latent", "latent_b")
            .collect()
        )
        return PairCounts(*(pairs[name].to_numpy() for name in ("latent", "latent_b", "n_ab")))

    return count


def count_duckdb(offsets: Array, ids: Array, *, floor: Fraction, threads: int) -> Callable[[], PairCounts] | None:
    """The same in SQL."""
    try:
        import duckdb
    except ImportError:
        return None
    import pyarrow as pa

    p, q = floor
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    connection.register("arrow_entries", pa.table(_columns(offsets, ids)))
    connection.execute("CREATE TABLE entries AS SELECT * FROM arrow_entries")
    query = f"""
        WITH firings AS (SELECT latent, count(*) AS n FROM entries GROUP BY latent),
        joint AS (
            SELECT one.latent AS a, other.latent AS b, count(*) AS n_ab
            FROM entries AS one JOIN entries AS other ON one.token = other.token AND one.latent < other.latent
            GROUP BY a, b
        )
        SELECT a, b, n_ab FROM joint
        JOIN firings AS fa ON fa.latent = a JOIN firings AS fb ON fb.latent = b
        WHERE n_ab * {q} >= {p} * (fa.n + fb.n - n_ab) ORDER BY a, b
    """

    def count() -> PairCounts:
        pairs = connection.execute(query).fetchnumpy()
        return PairCounts(pairs["a"], pairs["b"], pairs["n_ab"])

    return count


def _columns(offsets: Array, ids: Array) -> dict[str, Array]:
    """One row for each entry."""
    token = np.repeat(np.arange(len(offsets) - 1, dtype=np.uint32), np.diff(offsets))
    return {"token": token, "latent": ids.astype(np.uint32)}
