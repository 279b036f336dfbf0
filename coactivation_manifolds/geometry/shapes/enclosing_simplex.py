"""Simplices around and inside a set of points in two to five dimensions, and the volume of its hull."""

from __future__ import annotations

from functools import cache
from math import factorial

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

from coactivation_manifolds.compiled import compiled

Array = npt.NDArray[np.float64]

N_DIRECTIONS = {2: 32, 3: 40, 4: 40, 5: 40}
N_SWEEPS = 10
N_TURNS = 8  # starts in the plane, where fits from one start end up to 8 % above the least area
N_STEPS = 10
SETTLED = 1e-3


@cache
def directions(d: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Unit vectors [m, d] spread over the sphere, and the facets [f, d] of their hull, each turned outwards."""
    if d == 2:
        angles = 2 * np.pi * np.arange(N_DIRECTIONS[2]) / N_DIRECTIONS[2]
        around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        around = _spread(N_DIRECTIONS[d], d)
    facets = ConvexHull(around).simplices.astype(np.int64)
    inwards = np.linalg.det(around[facets]) < 0
    facets[inwards, :2] = facets[inwards, 1::-1]
    order = np.lexsort(facets.T)
    return around, np.ascontiguousarray(facets[order])


def extreme_points(points: Array) -> npt.NDArray[np.int64]:
    """Number of the farthest point in each of a fixed set of directions, int64 [m], some more than once."""
    around, _ = directions(points.shape[1])
    return np.argmax(around @ points.T, axis=1)


def hull_volume(extremes: Array) -> float:
    """Volume of the body whose surface joins the extreme points [m, d] as the directions' hull joins the directions.

    It is at most the volume of the hull of all points, and equal to it for a simplex whose vertices are all extreme.
    The fixed joints make it some hundred times cheaper than a hull in five dimensions.
    """
    d = extremes.shape[1]
    _, facets = directions(d)
    return float(_signed_volume(extremes - extremes.mean(axis=0), facets)) / factorial(d)


def simplex_volume(vertices: Array) -> float:
    """Volume of a simplex, vertices float64 [d + 1, d]."""
    return float(abs(np.linalg.det(vertices[1:] - vertices[0]))) / factorial(vertices.shape[1])


def enclose(points: Array) -> Array:
    """Vertices [d + 1, d] of a simplex of locally least volume around the points, deterministic.

    Starts from the largest simplex that is found among the points, blown up to hold them all. Then one facet after the
    other is moved: with the opposite vertex and its d edges held fixed, the facet cuts the edges at 1/a_j, and of all
    facets that keep the points inside the one of least volume maximises sum log a_j subject to Y a <= 1, with Y the
    points in coordinates along the edges. That is the dual of a D-optimal design in positive coordinates, solved by its
    multiplicative algorithm (Silvey, Titterington and Torsney 1978): weights w_m <- w_m (Y a)_m, a_j = 1 / (w Y)_j. No
    move makes the volume grow.
    """
    return np.asarray(_enclose(np.ascontiguousarray(points)))


def inscribe(points: Array) -> npt.NDArray[np.int64]:
    """Numbers of d + 1 points that span a large simplex: a greedy start, then swaps of single points (N-FINDR, Winter
    1999, Proc. SPIE 3753).
    """
    return np.asarray(_inscribe(np.ascontiguousarray(points)))


def _spread(m: int, d: int) -> Array:
    """Opposite pairs of directions, pushed apart from one another."""
    half = np.random.default_rng(d).normal(size=(m // 2, d))
    for _ in range(200):
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        both = np.concatenate([half, -half])
        apart = half[:, None] - both[None]
        distance = np.linalg.norm(apart, axis=2)
        distance[distance < 1e-9] = np.inf
        half = half + 0.02 * (apart / distance[:, :, None] ** 3).sum(axis=1) / m * 10
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    return np.concatenate([half, -half])


@compiled
def _determinant(rows):  # type: ignore[no-untyped-def]  # typed by numba
    """By elimination with pivots: for 2 x 2 to 5 x 5 far faster than a call of LAPACK. Overwrites the rows."""
    d = len(rows)
    value = 1.0
    for i in range(d):
        pivot = i
        for j in range(i + 1, d):
            if abs(rows[j, i]) > abs(rows[pivot, i]):
                pivot = j
        if rows[pivot, i] == 0:
            return 0.0
        if pivot != i:
            value = -value
            for c in range(d):
                rows[i, c], rows[pivot, c] = rows[pivot, c], rows[i, c]
        value *= rows[i, i]
        for j in range(i + 1, d):
            factor = rows[j, i] / rows[i, i]
            for c in range(i, d):
                rows[j, c] -= factor * rows[i, c]
    return value


@compiled
def _signed_volume(points, facets):  # type: ignore[no-untyped-def]  # typed by numba
    d = points.shape[1]
    rows = np.empty((d, d))
    volume = 0.0
    for facet in facets:
        for i in range(d):
            for c in range(d):
                rows[i, c] = points[facet[i], c]
        volume += _determinant(rows)
    return volume


@compiled
def _inscribe(points):  # type: ignore[no-untyped-def]  # typed by numba
    m, d = points.shape
    chosen = np.zeros(d + 1, dtype=np.int64)
    chosen[0] = np.argmax((points * points).sum(axis=1))
    residual = points - points[chosen[0]]
    for i in range(1, d + 1):
        size = (residual * residual).sum(axis=1)
        chosen[i] = np.argmax(size)
        if size[chosen[i]] <= 0:
            break
        unit = residual[chosen[i]] / np.sqrt(size[chosen[i]])
        for t in range(m):
            residual[t] -= (residual[t] * unit).sum() * unit
    for _ in range(2):
        for i in range(d + 1):
            bary = _barycentric(points, points[chosen])
            if bary[0, 0] != bary[0, 0]:
                return chosen
            # replacing vertex i by a point scales the volume by the point's coordinate i
            best, value = chosen[i], 1.0 + 1e-9
            for t in range(m):
                if abs(bary[t, i]) > value:
                    best, value = t, abs(bary[t, i])
            chosen[i] = best
    return chosen


@compiled
def _barycentric(points, vertices):  # type: ignore[no-untyped-def]  # typed by numba
    """Coordinates [m, d + 1] of points in a simplex, each row with sum 1; NaN where the simplex is flat."""
    m, d = points.shape
    edges = vertices[1:] - vertices[0]
    bary = np.full((m, d + 1), np.nan)
    if abs(_determinant(edges.copy())) <= 1e-300:
        return bary
    inverse = np.linalg.inv(edges)
    for t in range(m):
        rest = 1.0
        for i in range(d):
            value = 0.0
            for c in range(d):
                value += (points[t, c] - vertices[0, c]) * inverse[c, i]
            bary[t, i + 1] = value
            rest -= value
        bary[t, 0] = rest
    return bary


@compiled
def _enclose(points):  # type: ignore[no-untyped-def]  # typed by numba
    """The smallest of those found from the inscribed simplex, and in the plane from three turned ones too."""
    inscribed = points[_inscribe(points)]
    best = _shrink(points, inscribed)
    if points.shape[1] == 2:
        least = abs(_determinant(best[1:] - best[0]))
        middle = inscribed.sum(axis=0) / 3
        for step in range(1, N_TURNS):
            angle = 2 * np.pi / 3 * step / N_TURNS
            c, s = np.cos(angle), np.sin(angle)
            turned = np.empty((3, 2))
            for i in range(3):
                x, y = inscribed[i, 0] - middle[0], inscribed[i, 1] - middle[1]
                turned[i, 0], turned[i, 1] = middle[0] + c * x - s * y, middle[1] + s * x + c * y
            found = _shrink(points, turned)
            area = abs(_determinant(found[1:] - found[0]))
            if area < least:
                least, best = area, found
    return best


@compiled
def _shrink(points, start):  # type: ignore[no-untyped-def]  # typed by numba
    """Blow the start up to hold the points, then move facets for as long as that helps."""
    m, d = points.shape
    vertices = start.copy()
    bary = _barycentric(points, vertices)
    if bary[0, 0] != bary[0, 0]:
        return vertices
    blown = np.zeros(d + 1)
    for i in range(d + 1):
        blown[i] = max(0.0, -bary[:, i].min())
    outside = blown.sum()
    old = vertices.copy()
    for i in range(d + 1):
        vertices[i] = (1 + outside) * old[i]
        for j in range(d + 1):
            vertices[i] -= blown[j] * old[j]
    bary = _barycentric(points, vertices)
    weights = np.full((d + 1, m), d / m)
    reach, a = np.empty(m), np.empty(d)
    for _ in range(N_SWEEPS):
        shrunk = 1.0
        for i in range(d + 1):
            w = weights[i]
            for _ in range(N_STEPS):
                place = 0
                for j in range(d + 1):
                    if j != i:
                        total = 0.0
                        for t in range(m):
                            total += w[t] * max(bary[t, j], 0.0)
                        a[place] = 1.0 / max(total, 1e-300)
                        place += 1
                for t in range(m):
                    reach[t] = 0.0
                    place = 0
                    for j in range(d + 1):
                        if j != i:
                            reach[t] += max(bary[t, j], 0.0) * a[place]
                            place += 1
                    w[t] *= reach[t]
            scale = reach.max()
            factor = 1.0
            for c in range(d):
                factor *= scale / a[c]
            if factor >= 1:
                continue
            shrunk *= factor
            place = 0
            for j in range(d + 1):
                if j != i:
                    stretch = scale / a[place]
                    for c in range(d):
                        vertices[j, c] = vertices[i, c] + (vertices[j, c] - vertices[i, c]) * stretch
                    for t in range(m):
                        bary[t, j] /= stretch
                    place += 1
            for t in range(m):
                rest = 1.0
                for j in range(d + 1):
                    if j != i:
                        rest -= bary[t, j]
                bary[t, i] = rest
        if shrunk > 1 - SETTLED:
            break
    return vertices
