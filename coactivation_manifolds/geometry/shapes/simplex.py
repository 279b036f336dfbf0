"""Simplex: a cloud that fills a triangle, a tetrahedron, or their kin with up to six vertices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.shapes.enclosing_simplex import (
    enclose,
    extreme_points,
    hull_volume,
    simplex_volume,
)

Array = npt.NDArray[np.float64]

LEAST_FILLED = {3: 0.7, 4: 0.5, 5: 0.33, 6: 0.2}  # a ball fills 0.605, 0.30, 0.14, 0.06


class Simplex(NamedTuple):
    """A fitted simplex.

    Attributes
    ----------
    statistic
        Share of the enclosing simplex that the cloud's hull fills, in [0, 1]: 0.605 for a disc, 1 for a triangle.
    vertices
        float64 [k, k - 1], in the first k - 1 principal components, in units of activation.
    weights
        float64 [m, k]: barycentric coordinates of all points; inside, all are between 0 and 1.

    """

    statistic: float
    vertices: Array
    weights: Array


def simplex_statistic(scores: Array, n_vertices: int) -> float:
    """Volume of the cloud's hull over that of the least simplex around it, in the first n_vertices - 1 components.

    Both are of the extreme points in 32 (plane) or 40 directions of the components divided by their standard
    deviations, which changes no ratio of volumes; the cloud comes trimmed (``make_cloud``).

    Parameters
    ----------
    scores
        float64 [m, p], centred, in principal axes. With fewer than n_vertices - 1 components it is 0.
    n_vertices
        3 to 6.

    """
    return _fit(scores, n_vertices)[0]


def fit_simplex(scores: Array, n_vertices: int) -> Simplex:
    """Fit a simplex; for the statistic see ``simplex_statistic``."""
    statistic, vertices = _fit(scores, n_vertices)
    d = n_vertices - 1
    edges = vertices[1:] - vertices[0]
    if statistic == 0:
        return Simplex(0.0, vertices, np.full((len(scores), n_vertices), 1 / n_vertices))
    rest = np.linalg.solve(edges.T, (scores[:, :d] - vertices[0]).T).T
    return Simplex(statistic, vertices, np.column_stack([1 - rest.sum(axis=1), rest]))


def is_filled(simplex: Simplex) -> bool:
    """Whether the hull fills enough of the simplex to be called one; a disc and a ring fill 0.605 of their triangle."""
    return simplex.statistic >= LEAST_FILLED[len(simplex.vertices)]


def vertex_points(simplex: Simplex, n_points: int) -> npt.NDArray[np.int64]:
    """Numbers of the points nearest each vertex, those of largest weight first, int64 [k, n_points]."""
    order = np.argsort(-simplex.weights, axis=0, kind="stable")[:n_points]
    return np.ascontiguousarray(order.T).astype(np.int64)


def _fit(scores: Array, n_vertices: int) -> tuple[float, Array]:
    d = n_vertices - 1
    if scores.shape[1] < d or len(scores) <= d:
        return 0.0, np.zeros((n_vertices, d))
    scale = scores[:, :d].std(axis=0)
    points = scores[:, :d] / scale
    extremes = extreme_points(points)
    vertices = enclose(points[np.unique(extremes)])
    around = simplex_volume(vertices)
    filled = hull_volume(points[extremes]) / around if around > 0 else 0.0
    return float(np.clip(filled, 0.0, 1.0)), vertices * scale
