"""Cosine of decoder rows: of given pairs, the nearest rows of each latent, the most similar pairs overall.

No latents x latents matrix is held. Products of blocks are made in float32 by BLAS only to find who may be wanted, with
a bound on their error; every value that is kept or compared is computed anew in float64 for its pair alone. So the
results depend neither on the block size nor on BLAS and its threads.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.errors import InputError
from coactivation_manifolds.experiment.bounds import LEAST_COSINE
from coactivation_manifolds.schemas import COSINE_EDGES, COSINE_NEIGHBORS, conform
from coactivation_manifolds.similarity.most_similar import MostSimilarPairs
from coactivation_manifolds.storage import PathLike, open_table, read_array, write_table

logger = logging.getLogger(__name__)

Decoder = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Ids = npt.NDArray[Any]

COLUMNS_AT_ONCE = 8_192
ENTRIES_PER_BLOCK = 1 << 24
BYTES_PER_GATHER = 1 << 25


def read_decoder(path: PathLike) -> Decoder:
    """Decoder rows, float32 [n_latents, d_model].

    Raises
    ------
    InputError
        Missing, damaged, not two-dimensional, or with values that are not finite.

    """
    decoder = read_array(path)
    if decoder.ndim != 2 or decoder.dtype.kind != "f":
        raise InputError(f"{path} holds {decoder.dtype}{list(decoder.shape)}, expected float32 [n_latents, d_model]")
    if not np.isfinite(decoder).all():
        row = int(np.flatnonzero(~np.isfinite(decoder).all(axis=1))[0])
        raise InputError(f"{path}, row {row}: a value is not finite; give the decoder as the SAE has it")
    return np.ascontiguousarray(decoder, np.float32)


def row_norms(decoder: Decoder) -> Values:
    """Euclidean norm of each row, float64 [n_latents]."""
    step = max(1, BYTES_PER_GATHER // (8 * max(1, decoder.shape[1])))
    norms = np.empty(len(decoder))
    for low in range(0, len(decoder), step):
        rows = decoder[low : low + step].astype(np.float64)
        norms[low : low + step] = np.sqrt(_row_dots(rows, rows))
    return norms


def _row_dots(a: Values, b: Values) -> Values:
    """Dot product of each pair of rows, [pairs]: the same for a row wherever it stands and with however many others.

    einsum sums COLUMNS_AT_ONCE columns in one order; wider rows it cuts in a way that depends on their number.
    """
    stretches = range(0, a.shape[1], COLUMNS_AT_ONCE)
    dots = (np.einsum("ij,ij->i", a[:, s : s + COLUMNS_AT_ONCE], b[:, s : s + COLUMNS_AT_ONCE]) for s in stretches)
    return sum(dots, np.zeros(len(a)))


def decoder_cosine(decoder: Decoder, a: Ids, b: Ids, *, norms: Values | None = None) -> Values:
    """Cosine of the decoder rows of each pair.

    Parameters
    ----------
    decoder
        float32 [n_latents, d_model].
    a, b
        Latents of each pair, [pairs].
    norms
        ``row_norms(decoder)``, where at hand.

    Returns
    -------
    Values
        float64 [pairs] in [-1, 1]; NaN where a row is zero. A pair's value depends on its two rows alone and is the
        same for (a, b) and (b, a).

    """
    norms = row_norms(decoder) if norms is None else norms
    cosine = np.full(len(a), np.nan)
    step = max(1, BYTES_PER_GATHER // (16 * max(1, decoder.shape[1])))
    for low in range(0, len(a), step):
        part_a, part_b = a[low : low + step], b[low : low + step]
        dots = _row_dots(decoder[part_a].astype(np.float64), decoder[part_b].astype(np.float64))
        length = norms[part_a] * norms[part_b]
        np.divide(dots, length, out=cosine[low : low + step], where=length > 0)
    return np.clip(cosine, -1.0, 1.0)


def find_cosine_neighbors(
    decoder_path: PathLike,
    edges_path: PathLike,
    *,
    cosine_neighbors: int,
    max_cosine_edges: int,
    neighbors_path: PathLike,
    cosine_edges_path: PathLike,
    entries_per_block: int = ENTRIES_PER_BLOCK,
) -> None:
    """Write each latent's nearest decoder rows, and the M most similar pairs overall.

    M = max(edges in edges.parquet, pairs of cosine >= 0.30), at most ``max_cosine_edges``.

    Parameters
    ----------
    decoder_path
        float32 [n_latents, d_model].
    edges_path
        ``similarity/edges.parquet``; only its number of rows is used.
    cosine_neighbors
        Neighbours of each latent, by falling cosine, ties by id; a zero row has none and is none.
    max_cosine_edges
        Bound on M; where it cuts the list, the footer's ``cut`` is "true" and a warning is logged.
    neighbors_path
        ``schemas.COSINE_NEIGHBORS``, ranks from 1.
    cosine_edges_path
        ``schemas.COSINE_EDGES``, by falling cosine, ties by (feature_a, feature_b).
    entries_per_block
        float32 products held at once; the results do not depend on it.

    Raises
    ------
    InputError
        A file is missing, damaged or does not fit.

    """
    decoder = read_decoder(decoder_path)
    with open_table(edges_path) as parquet:
        n_edges = parquet.metadata.num_rows
    neighbors, pairs, cut = similar_rows(
        decoder,
        n_neighbors=cosine_neighbors,
        n_pairs=n_edges,
        max_pairs=max_cosine_edges,
        entries_per_block=entries_per_block,
    )
    if cut:
        logger.warning(
            "%s holds only the %d most similar pairs: raise similarity.max_cosine_edges for all that are wanted",
            cosine_edges_path,
            len(pairs),
        )
    write_table(neighbors, neighbors_path)
    write_table(pairs, cosine_edges_path, metadata={"cut": str(cut).lower(), "max_cosine_edges": str(max_cosine_edges)})


def similar_rows(
    decoder: Decoder,
    *,
    n_neighbors: int,
    n_pairs: int,
    max_pairs: int,
    entries_per_block: int = ENTRIES_PER_BLOCK,
) -> tuple[pa.Table, pa.Table, bool]:
    """The tables of ``find_cosine_neighbors``, and whether ``max_pairs`` cut the second."""
    norms = row_norms(decoder)
    rows = np.flatnonzero(norms > 0)
    units = np.empty((len(rows), decoder.shape[1]), np.float32)
    np.divide(decoder[rows], norms[rows, None], out=units, casting="same_kind")
    slack = float32_slack(decoder.shape[1])
    pairs = MostSimilarPairs(n_pairs=n_pairs, max_pairs=max_pairs, close=float(LEAST_COSINE), slack=slack)
    step = max(1, entries_per_block // max(1, len(rows)))
    found = []
    for low in range(0, len(rows), step):
        products = units[low : low + step] @ units.T
        pairs.add(products, first_row=low)
        found.append(_nearest(decoder, norms, rows, products, low, n_neighbors, slack))
        logger.info("cosine: %d of %d rows", min(low + step, len(rows)), len(rows))
    x, y = pairs.candidates()
    a, b = rows[x], rows[y]
    a, b, cosine, cut = pairs.choose(a, b, decoder_cosine(decoder, a, b, norms=norms))
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    feature, rank, neighbor, near = (np.concatenate(parts) for parts in zip(empty, *found, strict=True))
    neighbors = {"feature_id": feature, "rank": rank, "neighbor_id": neighbor, "cosine": near}
    edges = {"feature_a": a, "feature_b": b, "cosine": cosine}
    return conform(neighbors, COSINE_NEIGHBORS), conform(edges, COSINE_EDGES), cut


def float32_slack(d_model: int) -> float:
    """Bound on the error of a float32 dot product of two rounded unit rows, whatever the order of summation.

    (d + 4) 2^-24: d for the sum (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), the rest for
    rounding the rows and second-order terms.
    """
    return (d_model + 4) * 2.0**-24 * 1.01


def _nearest(
    decoder: Decoder, norms: Values, rows: Ids, products: npt.NDArray[np.float32], low: int, wanted: int, slack: float
) -> tuple[Ids, Ids, Ids, Values]:
    """Feature, rank, neighbour and cosine of the block's rows; overwrites the products of rows with themselves."""
    wanted = min(wanted, len(rows) - 1)
    if wanted < 1:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    height = np.arange(len(products))
    products[height, low + height] = -np.inf
    last = np.partition(products, len(rows) - wanted, axis=1)[:, len(rows) - wanted]
    x, y = np.nonzero(products >= (last - 2 * slack)[:, None])
    feature, neighbor = rows[low + x], rows[y]
    cosine = decoder_cosine(decoder, feature, neighbor, norms=norms)
    order = np.lexsort((neighbor, -cosine, x))
    x, feature, neighbor, cosine = x[order], feature[order], neighbor[order], cosine[order]
    rank = np.arange(len(x)) - np.searchsorted(x, x) + 1
    keep = rank <= wanted
    return feature[keep], rank[keep], neighbor[keep], cosine[keep]
