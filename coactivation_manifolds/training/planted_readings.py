"""How well a planted belief is read, linearly, from the activations of a set of latents.

Beliefs are fitted on the even documents and scored on the odd ones. Nothing here is seen by the stages that find the
clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.linalg

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.geometry.points import cluster_points
from coactivation_manifolds.training.planted_corpus import RING, SIMPLEX

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BELIEF_COLUMNS: Mapping[str, tuple[str, ...]] = {RING: ("cos", "sin"), SIMPLEX: ("p1", "p2", "p3")}
MIN_HALF = 64
"""Points of the process that each half of the documents must have for a score."""


@dataclass(frozen=True)
class ProcessTruth:
    """The exact beliefs of one process on the harvested tokens.

    Attributes
    ----------
    name
        The process.
    token_rows
        Rows of the index that hold this process's tokens, ascending, int64 [n].
    beliefs
        The exact belief after each of these tokens, float64 [n, 2 or 3].
    even
        Whether the token's document has an even number: these fit, the odd ones score.
    positions
        [first, last) position in the document that all this is restricted to; None for all tokens.

    """

    name: str
    token_rows: npt.NDArray[np.int64]
    beliefs: FloatArray
    even: BoolArray
    positions: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How well one set of latents tells the belief of one process.

    Attributes
    ----------
    n_points
        Tokens, of any process, on which at least ``min_active`` of the latents fire.
    purity
        Share of the points that are tokens of the process.
    coverage
        Share of the process's tokens that are points.
    r2
        1 - SSE/SST, summed over the belief's coordinates, on the process's points of odd documents, of a linear fit on
        those of even documents; None where a half has fewer than 64 points.
    r2_all_tokens
        The same over all tokens of the process, a silent latent counting as zero: sets of latents can be compared by it
        even where they fire on different tokens.
    choice
        What the best cluster is picked by, from even documents alone: the share of the belief's variation there that
        the fit explains on the points, tokens that are no points counting as unexplained.

    """

    n_points: int
    purity: float
    coverage: float
    r2: float | None
    r2_all_tokens: float
    choice: float


def locate_truth(
    truth: pa.Table, tokens: pa.Table, *, name: str, positions: Sequence[int] | None = None
) -> ProcessTruth:
    """Find a process's tokens in the index and their exact beliefs.

    Parameters
    ----------
    truth
        schemas.PLANTED_TRUTH.
    tokens
        All rows of the index, with doc_id and position_in_doc.
    name
        The process.
    positions
        [first, last) position in the document (``counting.positions``); tokens elsewhere are left out.

    Raises
    ------
    ResultsError
        A harvested token has no planted truth: index and truth are of different runs.

    """
    columns = BELIEF_COLUMNS[name]
    keys = _keys(truth)
    order = np.argsort(keys, kind="stable")
    wanted = _keys(tokens)
    place = np.minimum(np.searchsorted(keys[order], wanted), max(0, len(keys) - 1))
    row = order[place] if len(keys) else np.zeros(0, dtype=np.int64)
    if len(row) != len(wanted) or not np.array_equal(keys[row], wanted):
        raise ResultsError(
            "a harvested token has no planted truth: trained/truth.parquet and index/ are of different runs; "
            "delete index/ and activations/ and run the same command again"
        )
    own = np.asarray(truth.column("process").to_numpy(zero_copy_only=False) == name)[row]
    if positions is not None:
        position = tokens.column("position_in_doc").to_numpy()
        own &= (position >= positions[0]) & (position < positions[1])
    token_rows = np.flatnonzero(own)
    beliefs = np.stack([truth.column(column).to_numpy() for column in columns], axis=1)[row[own]]
    doc_id = tokens.column("doc_id").to_numpy()[own]
    return ProcessTruth(name, token_rows, beliefs, doc_id % 2 == 0, positions)


def _keys(table: pa.Table) -> npt.NDArray[np.int64]:
    doc_id = table.column("doc_id").to_numpy().astype(np.int64)
    position = table.column("position_in_doc").to_numpy().astype(np.int64)
    return np.asarray(doc_id * 2**31 + position)


def read_latents(
    truth: ProcessTruth,
    index: FeatureIndex,
    members: Sequence[int],
    *,
    decoder: FloatArray,
    min_active: int,
) -> Reading:
    """Measure how well latents tell the belief of a process.

    Parameters
    ----------
    truth
        The process's tokens and beliefs.
    index
        The activations.
    members
        The latents.
    decoder
        Decoder rows of all latents, float [n_latents, d_model].
    min_active
        Latents that must fire on a token for it to be a point.

    """
    rows = cluster_points(index, members, min_active=1, positions=truth.positions)
    active = (rows.activations > 0).sum(axis=1)
    is_point = active >= min_active
    own, place = _intersect(truth.token_rows, rows.token_rows)
    reconstruction = reconstruction_coordinates(rows.activations, decoder[np.asarray(members, dtype=np.int64)])
    coordinates = np.zeros((len(truth.token_rows), reconstruction.shape[1]))
    coordinates[own] = reconstruction[place]
    covered = np.zeros(len(truth.token_rows), dtype=bool)
    covered[own] = is_point[place]
    n_points, n_covered = int(is_point.sum()), int(covered.sum())
    enough = min((covered & truth.even).sum(), (covered & ~truth.even).sum()) >= MIN_HALF
    return Reading(
        n_points=n_points,
        purity=n_covered / n_points if n_points else 0.0,
        coverage=n_covered / len(covered) if len(covered) else 0.0,
        r2=linear_r2(coordinates, truth.beliefs, fit=covered & truth.even, score=covered & ~truth.even)
        if enough
        else None,
        r2_all_tokens=linear_r2(coordinates, truth.beliefs, fit=truth.even, score=~truth.even),
        choice=_explained(coordinates, truth.beliefs, covered=covered & truth.even, all_rows=truth.even)
        if enough
        else 0.0,
    )


def _intersect(
    wanted: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions of the common values of two ascending arrays, in the first and in the second."""
    _, first, second = np.intersect1d(wanted, rows, assume_unique=True, return_indices=True)
    return first, second


def reconstruction_coordinates(activations: npt.NDArray[np.float32], decoder_rows: FloatArray) -> FloatArray:
    """The reconstruction A D in an orthonormal basis of the decoder rows' span: what is linear in one is in the other.

    With D^T = Q R the coordinates are A R^T; float64 [n, min(k, d_model)].
    """
    triangular = scipy.linalg.qr(np.asarray(decoder_rows, dtype=np.float64).T, mode="economic")[1]
    return np.asarray(activations.astype(np.float64) @ triangular.T)


def fit_linear(coordinates: FloatArray, beliefs: FloatArray) -> FloatArray:
    """Least squares with an intercept, the smallest solution where several fit: [n_coordinates + 1, n_beliefs]."""
    return np.asarray(np.linalg.lstsq(_with_one(coordinates), beliefs, rcond=None)[0], dtype=np.float64)


def predict_linear(coordinates: FloatArray, solution: FloatArray) -> FloatArray:
    """Beliefs predicted by ``fit_linear``."""
    return np.asarray(_with_one(coordinates) @ solution)


def _with_one(coordinates: FloatArray) -> FloatArray:
    return np.column_stack([coordinates, np.ones(len(coordinates))])


def linear_r2(coordinates: FloatArray, beliefs: FloatArray, *, fit: BoolArray, score: BoolArray) -> float:
    """1 - SSE/SST on the scored rows, summed over columns, of a linear fit on the fitted rows.

    0 where the scored beliefs don't vary or a side has no rows.
    """
    if not fit.any() or not score.any():
        return 0.0
    predicted = predict_linear(coordinates[score], fit_linear(coordinates[fit], beliefs[fit]))
    error = ((beliefs[score] - predicted) ** 2).sum()
    spread = ((beliefs[score] - beliefs[score].mean(axis=0)) ** 2).sum()
    return float(1.0 - error / spread) if spread > 0 else 0.0


def _explained(coordinates: FloatArray, beliefs: FloatArray, *, covered: BoolArray, all_rows: BoolArray) -> float:
    """Share of the variation over ``all_rows`` that a fit on the covered ones explains, the others left unexplained."""
    predicted = predict_linear(coordinates[covered], fit_linear(coordinates[covered], beliefs[covered]))
    centre = beliefs[all_rows].mean(axis=0)
    spread = ((beliefs[all_rows] - centre) ** 2).sum()
    left = ((beliefs[covered] - predicted) ** 2).sum()
    gained = ((beliefs[covered] - centre) ** 2).sum() - left
    return float(gained / spread) if spread > 0 else 0.0
