"""What the planted figure shows of a cluster: its plane, the truth on its points, how its latents fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.pca import pca_reconstruction
from coactivation_manifolds.geometry.points import cluster_points
from coactivation_manifolds.training.planted_readings import (
    FloatArray,
    ProcessTruth,
    fit_linear,
    predict_linear,
    reconstruction_coordinates,
)

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

ANGLE_BINS = 36


@dataclass(frozen=True, kw_only=True)
class PlantedView:
    """One cluster beside the planted truth.

    Attributes
    ----------
    members
        Latents, in the order of ``jaccard`` and ``tuning``: by the angle that a ring's latents prefer, else by id.
    scores
        PC1 and PC2 of the reconstruction, float64 [n_points, 2].
    evr
        Share of the variance along each, float64 [2].
    beliefs
        Exact beliefs of the points, NaN for tokens of other processes, float64 [n_points, 2 or 3].
    held_out
        Rows of ``scores`` that are the process's tokens on odd documents, int64 [m].
    held_out_beliefs
        Exact beliefs of all tokens of the process on odd documents, points or not, float64 [l, 2 or 3].
    predicted
        Beliefs of those, read linearly from the cluster (fitted on even documents), float64 [m, 2 or 3].
    arrows
        The members' decoder rows in the plane, float64 [k, 2].
    jaccard
        Jaccard similarity of each pair of members over all tokens, 0 on the diagonal, float64 [k, k].
    bins, tuning
        Ring only: angles (radians) and each member's mean activation there, over the process's tokens, float64 [36] and
        [k, 36].

    """

    members: list[int]
    scores: FloatArray
    evr: FloatArray
    beliefs: FloatArray
    held_out: npt.NDArray[np.int64]
    held_out_beliefs: FloatArray
    predicted: FloatArray
    arrows: FloatArray
    jaccard: FloatArray
    bins: FloatArray
    tuning: FloatArray


def cluster_view(
    truth: ProcessTruth, index: FeatureIndex, members: Sequence[int], *, decoder: FloatArray, min_active: int
) -> PlantedView:
    """Gather what the figure shows of a cluster; parameters as ``read_latents``."""
    rows = cluster_points(index, members, min_active=1, positions=truth.positions)
    activations = np.asarray(rows.activations, dtype=np.float64)
    chosen = (activations > 0).sum(axis=1) >= min_active
    points, token_rows = activations[chosen], rows.token_rows[chosen]
    decoder_rows = decoder[np.asarray(members, dtype=np.int64)]
    beliefs, even = _beliefs_of(truth, token_rows)
    own = ~np.isnan(beliefs[:, 0])
    coordinates = reconstruction_coordinates(points, decoder_rows)
    held_out = np.flatnonzero(own & ~even)
    solution = fit_linear(coordinates[own & even], beliefs[own & even])
    pca = pca_reconstruction(points, decoder_rows, n_components=2)
    bins, tuning = _tuning(truth, rows.token_rows, activations)
    order = _by_preferred_angle(bins, tuning) if len(bins) else np.arange(len(members))
    return PlantedView(
        members=[int(members[place]) for place in order],
        scores=pca.scores,
        evr=pca.evr,
        beliefs=beliefs,
        held_out=held_out,
        held_out_beliefs=truth.beliefs[~truth.even],
        predicted=predict_linear(coordinates[held_out], solution),
        arrows=(decoder_rows @ pca.loadings.T)[order],
        jaccard=_jaccard(activations > 0)[np.ix_(order, order)],
        bins=bins,
        tuning=tuning[order] if len(bins) else tuning,
    )


def _beliefs_of(truth: ProcessTruth, token_rows: npt.NDArray[np.int64]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Beliefs of tokens, NaN where they are of other processes, and whether their documents are even."""
    beliefs = np.full((len(token_rows), truth.beliefs.shape[1]), np.nan)
    even = np.zeros(len(token_rows), dtype=bool)
    _, here, there = np.intersect1d(token_rows, truth.token_rows, assume_unique=True, return_indices=True)
    beliefs[here] = truth.beliefs[there]
    even[here] = truth.even[there]
    return beliefs, even


def _jaccard(firing: npt.NDArray[np.bool_]) -> FloatArray:
    both = firing.T.astype(np.float64) @ firing
    counts = np.diag(both)
    union = counts[:, None] + counts[None, :] - both
    found = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    np.fill_diagonal(found, 0.0)
    return found


def _tuning(
    truth: ProcessTruth, token_rows: npt.NDArray[np.int64], activations: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean activation of each latent over bins of the true angle; empty where the belief is no angle."""
    if truth.beliefs.shape[1] != 2:
        return np.zeros(0), np.zeros((activations.shape[1], 0))
    angle = np.arctan2(truth.beliefs[:, 1], truth.beliefs[:, 0])
    bin_of = np.minimum(((angle + np.pi) / (2 * np.pi) * ANGLE_BINS).astype(np.int64), ANGLE_BINS - 1)
    _, here, there = np.intersect1d(truth.token_rows, token_rows, assume_unique=True, return_indices=True)
    counts = np.maximum(1, np.bincount(bin_of, minlength=ANGLE_BINS))
    sums = [
        np.bincount(bin_of[here], weights=activations[there, latent], minlength=ANGLE_BINS)
        for latent in range(activations.shape[1])
    ]
    bins = -np.pi + (np.arange(ANGLE_BINS) + 0.5) * 2 * np.pi / ANGLE_BINS
    return bins, np.stack(sums) / counts


def _by_preferred_angle(bins: FloatArray, tuning: FloatArray) -> npt.NDArray[np.int64]:
    preferred = np.angle(tuning @ np.exp(1j * bins))
    return np.argsort(preferred, kind="stable")


def ring_shape(view: PlantedView) -> dict[str, Any]:
    """How round the process's points are in the plane of PC1 and PC2.

    Returns
    -------
    dict
        ``radius_cv``: standard deviation over mean of the distance from the centre of a circle fitted algebraically
        (Kasa 1976); ``largest_gap_degrees``: largest angle between neighbouring points as seen from there, of the
        points whose radius is at least half the median (stray points inside fill no gap).

    """
    points = view.scores[~np.isnan(view.beliefs[:, 0])]
    if view.scores.shape[1] < 2 or len(points) < 3:
        return {"radius_cv": None, "largest_gap_degrees": None}
    design = np.column_stack([2 * points, np.ones(len(points))])
    centre = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0][:2]
    offset = points - centre
    radius = np.hypot(offset[:, 0], offset[:, 1])
    outer = offset[radius >= 0.5 * np.median(radius)]
    angle = np.sort(np.degrees(np.arctan2(outer[:, 1], outer[:, 0])))
    gaps = np.diff(angle, append=angle[:1] + 360.0)
    return {"radius_cv": float(radius.std() / radius.mean()), "largest_gap_degrees": float(gaps.max())}
