"""Simplex: a cloud that fills a triangle, a tetrahedron, or their kin with up to six vertices."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.shapes.cloud import Cloud
from coactivation_manifolds.geometry.shapes.enclosing_simplex import (
    enclose,
    extreme_points,
    hull_volume,
    simplex_volume,
)
from coactivation_manifolds.geometry.shapes.skewness import multivariate_skewness

Array = npt.NDArray[np.float64]

LEAST_FILLED = {3: 0.67, 4: 0.5, 5: 0.33, 6: 0.25}  # a ball fills 0.605, 0.30, 0.14, 0.06
LEAST_FLATNESS = {3: 0.55, 4: 0.6, 5: 0.6, 6: 0.6}  # lines and half turns have less
LEAST_OCCUPIED = {3: 0.84, 4: 0.77, 5: 0.68, 6: 0.68}
MOST_BEYOND = {3: 0.45, 4: 0.6, 5: 0.7, 6: 0.7}
N_STEPS = {3: 6, 4: 4, 5: 3, 6: 3}  # cells along an edge


class Simplex(NamedTuple):
    """A fitted simplex.

    Attributes
    ----------
    statistic
        Skewness of the cloud over that of k equal masses at the vertices; 0 where the cloud is not as flat as such a
        simplex.
    filled
        Share of the enclosing simplex that the cloud's hull fills, in [0, 1]: 0.605 for a disc, 1 for a triangle.
    flatness
        Standard deviation along the last of the k - 1 components over that along the first.
    beyond
        Standard deviation along the component after them over that along the last: small where the cloud is as flat as
        such a simplex, near 1 for blobs and mixtures, which have a triangular shadow as often as not. 0 in the plane;
        infinite for others in fewer dimensions than vertices: a vertex needs a latent of its own, and three latents
        that fire apart fill the corner between the origin and their axes.
    occupied
        Cells of the simplex with points in them, over those that as many points spread evenly would be in: an arc has
        the hull of a triangle, and leaves its middle empty. 0 where the hull fills too little to be a simplex.
    vertices
        float64 [k, k - 1], in the first k - 1 principal components, in units of activation.
    weights
        float64 [m, k]: barycentric coordinates of all points; inside, all are between 0 and 1.

    """

    statistic: float
    filled: float
    flatness: float
    beyond: float
    occupied: float
    vertices: Array
    weights: Array


def simplex_statistic(cloud: Cloud, n_vertices: int) -> float:
    """How far a cloud's mass lies out towards the vertices: its skewness over that of masses at the vertices alone.

    Mardia's skewness in the first n_vertices - 1 components, over (n_vertices - 1) (n_vertices - 2). Measured on all
    points but the farthest hundredth. A moment of all points varies far less from draw to draw than the volume of a
    hull, which hangs on a few of them: for tetrahedra, whose latents leave each other so little room that pairs alone
    make a filled simplex, the hull hardly tells the cloud from its null, and the skewness does.

    It is 0 where the spread along the components is not that of such a simplex (``Simplex.flatness``, ``beyond``),
    which spares most null draws the search for the enclosing one.

    Parameters
    ----------
    cloud
        The cloud. With fewer than n_vertices - 1 components it is 0.
    n_vertices
        3 to 6.

    """
    d = n_vertices - 1
    if not _is_flat(*_spreads(cloud.spread, n_vertices), n_vertices) or len(cloud.scores) <= d:
        return 0.0
    return multivariate_skewness(cloud.wide[:, :d]) / (d * (d - 1))


def fit_simplex(cloud: Cloud, n_vertices: int) -> Simplex:
    """Fit a simplex; for the statistic see ``simplex_statistic``.

    Hull and enclosing simplex are of the extreme points in 32 (plane) or 40 directions of the components divided by
    their standard deviations, which changes no ratio of volumes; the cloud is trimmed (``make_cloud``).
    """
    scores, d = cloud.scores, n_vertices - 1
    statistic = simplex_statistic(cloud, n_vertices)
    flatness, beyond = _spreads(cloud.spread, n_vertices)
    filled, vertices = _enclose(scores, n_vertices) if statistic > 0 else (0.0, np.zeros((n_vertices, d)))
    if filled == 0:
        weights = np.full((len(scores), n_vertices), 1 / n_vertices)
        return Simplex(statistic, 0.0, flatness, beyond, 0.0, vertices, weights)
    weights = np.empty((len(scores), n_vertices))
    weights[:, 1:] = (scores[:, :d] - vertices[0]) @ np.linalg.inv(vertices[1:] - vertices[0])
    weights[:, 0] = 1 - weights[:, 1:].sum(axis=1)
    occupied = occupied_share(weights) if filled >= LEAST_FILLED[n_vertices] else 0.0
    return Simplex(statistic, filled, flatness, beyond, occupied, vertices, weights)


def is_filled(simplex: Simplex) -> bool:
    """Whether hull and points fill enough of the simplex to be called one; the hull is 0 for others than simplices."""
    k = len(simplex.vertices)
    return simplex.filled >= LEAST_FILLED[k] and simplex.occupied >= LEAST_OCCUPIED[k]


def occupied_share(weights: Array) -> float:
    """Cells with points in them, over cells that as many points of a uniform sample are in; at most 1.

    Cells are those of equal whole parts of the barycentric coordinates in steps of an edge's sixth to third.

    Parameters
    ----------
    weights
        float64 [m, k].

    """
    return min(1.0, _count_cells(weights) / _fair_cells(*weights.shape))


def vertex_points(simplex: Simplex, n_points: int) -> npt.NDArray[np.int64]:
    """Numbers of the points nearest each vertex, those of largest weight first, int64 [k, n_points]."""
    order = np.argsort(-simplex.weights, axis=0, kind="stable")[:n_points]
    return np.ascontiguousarray(order.T).astype(np.int64)


def _count_cells(weights: Array) -> int:
    k = weights.shape[1]
    inside = weights[(weights >= 0).all(axis=1)]
    steps = (inside * N_STEPS[k]).astype(np.int64)
    return len(np.unique(steps @ (N_STEPS[k] + 1) ** np.arange(k)))


@cache
def _fair_cells(n: int, k: int) -> int:
    return _count_cells(np.random.default_rng(0).dirichlet(np.ones(k), n))


def _spreads(spread: Array, n_vertices: int) -> tuple[float, float]:
    """Flatness and what is beyond, as in ``Simplex``."""
    d = n_vertices - 1
    if len(spread) < d or spread[d - 1] <= 0:
        return 0.0, np.inf
    left = np.inf if d > 2 else 0.0
    return float(spread[d - 1] / spread[0]), float(spread[d] / spread[d - 1]) if len(spread) > d else left


def _is_flat(flatness: float, beyond: float, n_vertices: int) -> bool:
    return flatness >= LEAST_FLATNESS[n_vertices] and beyond <= MOST_BEYOND[n_vertices]


def _enclose(scores: Array, n_vertices: int) -> tuple[float, Array]:
    """Share of the enclosing simplex that the hull fills, and its vertices."""
    d = n_vertices - 1
    scale = scores[:, :d].std(axis=0)
    points = scores[:, :d] / scale
    extremes = extreme_points(points)
    vertices = enclose(points[np.unique(extremes)])
    around = simplex_volume(vertices)
    filled = hull_volume(points[extremes]) / around if around > 0 else 0.0
    return float(np.clip(filled, 0.0, 1.0)), vertices * scale
