"""Manifolds to plant: points on them, the places that latents tile them at, and clouds that are no manifold.

A manifold's coordinates have mean 0 and a mean square of 1. A tile's height is a bump in the manifold's own parameter,
1 at the tile's place and 0 beyond its width: along it the embedded manifold leaves its plane, as curved manifolds do.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ARCS = (180.0, 270.0)
MOST_SHARE = 0.7  # of a manifold's points that one tile fires on


class Manifold(NamedTuple):
    """Points of a manifold, and its tiles.

    Attributes
    ----------
    points
        float64 [n, c]: coordinates in the manifold's own span.
    tiles
        float64 [k, c]: where the k latents sit.
    heights
        float64 [n, k] in [0, 1]: how near each point is to each tile.
    share
        Share of the points on which each latent is to fire.

    """

    points: Array
    tiles: Array
    heights: Array
    share: float


def circle(rng: np.random.Generator, n: int, k: int, width: float, degrees: float = 360.0) -> Manifold:
    """A ring of unit radius, or an arc of it; tiles in equal steps with some disorder, unequal density along it.

    Parameters
    ----------
    rng
        Draws everything.
    n
        Points.
    k
        Tiles.
    width
        Half the width of a tile, in steps between tiles.
    degrees
        360 for a ring.

    """
    closed = degrees == 360.0
    span = np.radians(degrees)
    step = span / (k if closed else k - 1)
    places = step * np.arange(k) + rng.uniform(-0.1, 0.1, k) * step
    along = rng.random(n) * span
    # unequal density: a cosine's share of the points is moved
    crowding = rng.uniform(0.0, 0.4)
    along += crowding * np.sin(2 * np.pi * along / span) * span / (2 * np.pi)
    gap = along[:, None] - places
    if closed:
        gap = np.angle(np.exp(1j * gap))
    return _standard(
        np.column_stack([np.cos(along), np.sin(along)]),
        np.column_stack([np.cos(places), np.sin(places)]),
        _bump(gap / (width * step)),
        min(MOST_SHARE, 2 * width * step / span),
    )


def line(rng: np.random.Generator, n: int, k: int, width: float) -> Manifold:
    """A segment, tiles in equal steps."""
    places, along = np.linspace(0.0, 1.0, k), rng.random(n)
    gap = (along[:, None] - places) * (k - 1) / width
    return _standard(along[:, None], places[:, None], _bump(gap), min(MOST_SHARE, 2 * width / (k - 1)))


def helix(rng: np.random.Generator, n: int, k: int, width: float) -> Manifold:
    """A helix of 1.5 to 2 turns, of unit radius, that rises by a diameter a turn, tiles in equal steps."""
    turns = rng.uniform(1.5, 2.0)
    places, along = np.linspace(0.0, 1.0, k), rng.random(n)

    def wind(s: Array) -> Array:
        return np.column_stack([rise * s, np.cos(2 * np.pi * turns * s), np.sin(2 * np.pi * turns * s)])

    rise = 2.0 * turns
    gap = (along[:, None] - places) * (k - 1) / width
    return _standard(wind(along), wind(places), _bump(gap), min(MOST_SHARE, 2 * width / (k - 1)))


def simplex(rng: np.random.Generator, n: int, n_vertices: int, k: int) -> Manifold:
    """Dirichlet weights on n_vertices vertices; a latent for each vertex, further ones at the middles of edges."""
    weights = rng.dirichlet(np.full(n_vertices, rng.uniform(0.6, 1.0)), n)
    corners = np.linalg.svd(np.eye(n_vertices) - 1 / n_vertices)[0][:, : n_vertices - 1]
    edges = list(combinations(range(n_vertices), 2))[: k - n_vertices]
    middles = [(corners[a] + corners[b]) / 2 for a, b in edges]
    heights = [weights, *(2 * np.minimum(weights[:, a], weights[:, b])[:, None] for a, b in edges)]
    share = 0.75 if n_vertices == 3 else 0.6
    return _standard(weights @ corners, np.array([*corners, *middles]), np.hstack(heights), share)


def sheet(rng: np.random.Generator, n: int, k: int, width: float) -> Manifold:
    """A square, tiled by a grid: a manifold of two dimensions, which is none of the named shapes."""
    side = round(np.sqrt(k))
    grid = np.linspace(0.0, 1.0, side)
    places = np.array([(x, y) for x in grid for y in grid])
    points = rng.random((n, 2))
    gap = (points[:, None] - places) * (side - 1) / width
    return _standard(points, places, _bump(np.linalg.norm(gap, axis=2)), min(0.5, np.pi * width**2 / (side - 1) ** 2))


def gated_blob(rng: np.random.Generator, n: int, k: int) -> Array:
    """Strengths [n, k] of latents that fire independently given how strong the topic is, of gamma sizes."""
    topic = rng.beta(2, 2, (n, 1))
    fires = rng.random((n, k)) < np.minimum(1.0, 0.25 + topic * rng.uniform(0.5, 1.0, k))
    return np.asarray(fires * rng.gamma(2.0, 0.5, (n, k)))


def gaussian_blob(rng: np.random.Generator, n: int, k: int) -> Array:
    """Strengths of latents that read a correlated normal cloud, each above a threshold of its own."""
    mixing = rng.normal(size=(k, k)) + 0.7
    values = rng.normal(size=(n, k)) @ (mixing / np.linalg.norm(mixing, axis=0))
    return np.maximum(values - rng.uniform(-0.6, 0.1, k), 0.0)


def heavy_blob(rng: np.random.Generator, n: int, k: int) -> Array:
    """Strengths with a common factor of long tail (a Student t's), which no Gaussian dependence has."""
    values = rng.normal(size=(n, k)) + rng.normal(size=(n, 1))
    values /= np.sqrt(rng.chisquare(6, (n, 1)) / 6)
    return np.clip(values - rng.uniform(-0.8, 0.0, k), 0.0, 6.0)


def halves(rng: np.random.Generator, n: int, k: int) -> Array:
    """Either half of the latents fires, one of them a bridge that fires with both: a mixture of two blobs."""
    first = rng.random((n, 1)) < rng.uniform(0.35, 0.65)
    half = np.arange(k) < k // 2
    bridge = np.arange(k) == 0
    allowed = (first == half) | bridge
    return np.asarray((rng.random((n, k)) < 0.75) * allowed * rng.gamma(2.0, 0.5, (n, k)))


def thirds(rng: np.random.Generator, n: int, k: int) -> Array:
    """One of three groups of latents fires, sometimes two: a mixture of three, joined where they overlap."""
    group = rng.integers(0, 3, n)
    other = np.where(rng.random(n) < 0.35, rng.integers(0, 3, n), group)
    own = np.arange(k) % 3
    allowed = (own == group[:, None]) | (own == other[:, None])
    return np.asarray((rng.random((n, k)) < 0.85) * allowed * rng.gamma(2.0, 0.5, (n, k)))


def separate_axes(rng: np.random.Generator, n: int, k: int) -> Array:
    """One latent at a time, on seven tokens of ten a second one of any other: separate axes."""
    values = np.zeros((n, k))
    first = rng.integers(0, k, n)
    values[np.arange(n), first] = rng.gamma(3.0, 0.4, n) + 0.2
    both = np.flatnonzero(rng.random(n) < 0.7)
    values[both, (first[both] + rng.integers(1, k, len(both))) % k] = rng.gamma(3.0, 0.4, len(both)) + 0.2
    return values


BLOBS: dict[str, Callable[..., Array]] = {
    "gated blob": gated_blob,
    "Gaussian blob": gaussian_blob,
    "heavy-tailed blob": heavy_blob,
}
MIXTURES: dict[str, Callable[..., Array]] = {
    "two halves": halves,
    "three groups": thirds,
    "separate axes": separate_axes,
}


def _standard(points: Array, tiles: Array, heights: Array, share: float) -> Manifold:
    """Mean 0 and mean square 1."""
    mean = points.mean(axis=0)
    scale = np.sqrt(((points - mean) ** 2).sum(axis=1).mean())
    return Manifold((points - mean) / scale, (tiles - mean) / scale, heights, share)


def _bump(gap: Array) -> Array:
    """Raised cosine: 1 at 0, 0 from -1 and 1 on."""
    return np.asarray(np.where(np.abs(gap) < 1, 0.5 + 0.5 * np.cos(np.pi * np.clip(gap, -1, 1)), 0.0))
