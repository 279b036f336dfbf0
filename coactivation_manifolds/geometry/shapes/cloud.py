"""A cloud of points as all shapes see it: without its faint and its farthest points, in its own principal axes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.pca import Array, Axes, Moments, axes_restricted
from coactivation_manifolds.schemas import N_COMPONENTS

TRIM, STRAY = 0.05, 0.01
"""Shares of points left out, those farthest from the mean: where a shape is fitted, and where its corners count."""

FAINT = 0.4
"""Length of the latents' activations on a token, over the median of the cluster's tokens, below which the token is left
out. It is mostly one latent barely over its threshold, on a token that has no part in what the cluster stands for; such
tokens lie near the origin, which is the middle of a ring as seen along its axis."""

LEAST_FIRINGS = 0.01
"""Share of the points on which a latent fires at least, to have a place of its own on a shape."""

GAP_SHARE = 0.005
"""Share of the points that may lie in a gap without closing it."""


class Cloud(NamedTuple):
    """What every shape is fitted to.

    Attributes
    ----------
    scores
        float64 [m, p]: the kept points, centred, in at most five principal axes of descending variance.
    kept
        int64 [m]: their numbers among all points, ascending.
    axes
        The principal axes; ``axes.project`` gives the scores of any point.
    wide
        float64 [m', p]: scores in the same axes of all points but the faint and the farthest hundredth, among them the
        corners that trimming takes from a simplex.
    spread
        float64 [at most p + 1]: standard deviations of the kept points along the axes, and along the one after them.
    activations
        float64 [m, k], of the latents on the kept points; None where only the points are known.

    """

    scores: Array
    kept: npt.NDArray[np.int64]
    axes: Axes
    wide: Array
    spread: Array
    activations: Array | None = None


def make_cloud(points: npt.ArrayLike, *, activations: Array | None = None, trim: float = TRIM) -> Cloud:
    """Trim a cloud and turn it into its principal axes.

    A few stray points turn the axes and stretch a hull, and tokens on which the latents hardly fire fill the middle of
    a ring; leaving them out by one rule, of the real cloud and of each null draw alike, keeps the test fair.

    Parameters
    ----------
    points
        float [n, d].
    activations
        float64 [n, k], of the latents whose points they are; without them no point is faint.
    trim
        Share of the points that are not faint to leave out.

    """
    values = np.asarray(points, dtype=np.float64)
    clear = np.arange(len(values), dtype=np.int64) if activations is None else _not_faint(activations)
    offset = values[clear] - values[clear].mean(axis=0)
    distance = np.einsum("nd,nd->n", offset, offset)
    kept = clear[_nearest(distance, trim)]
    axes, spread = _axes_and_spread(values[kept])
    scores = np.ascontiguousarray(axes.project(values[kept]))
    wide = np.ascontiguousarray(axes.project(values[clear[_nearest(distance, min(trim, STRAY))]]))
    return Cloud(scores, kept, axes, wide, spread, None if activations is None else activations[kept])


def _axes_and_spread(points: Array) -> tuple[Axes, Array]:
    """Principal axes, and the standard deviations along them and the next."""
    more = axes_restricted(Moments.of(points), n_components=N_COMPONENTS + 1)
    few = {name: getattr(more, name)[:N_COMPONENTS] for name in ("loadings", "eigenvalues", "latent_weights")}
    return replace(more, **few), np.sqrt(more.eigenvalues)


def _not_faint(activations: Array) -> npt.NDArray[np.int64]:
    """Numbers of the points on which the latents together fire strongly enough to say where on a shape a token lies."""
    size = np.sqrt(np.einsum("nk,nk->n", activations, activations))
    return np.flatnonzero(size >= FAINT * np.median(size))


def _nearest(distance: Array, trim: float) -> npt.NDArray[np.int64]:
    """Numbers of all points but the farthest share, ascending."""
    n_kept = len(distance) - int(trim * len(distance))
    if n_kept == len(distance):
        return np.arange(n_kept, dtype=np.int64)
    return np.sort(np.argpartition(distance, n_kept - 1)[:n_kept]).astype(np.int64)


def have_places(activations: Array) -> npt.NDArray[np.bool_]:
    """Which latents fire often enough to have a place on a shape, bool [k], of activations float [m, k]."""
    return np.asarray((activations > 0).mean(axis=0) >= LEAST_FIRINGS)


def thin(scores: Array, most: int) -> Array:
    """At most so many rows, in equal steps of their order: the points come in the order of the corpus, or at random."""
    return np.ascontiguousarray(scores[:: max(1, -(-len(scores) // most))])


def widest_gap(position: Array) -> float:
    """Largest share of the range of an order parameter that holds at most 0.5 % of the points.

    Near 0 along a thread that is filled; a cloud of separate clumps, such as a few tokens make, has wide gaps, and no
    order along them is more than a way to visit the clumps.

    Parameters
    ----------
    position
        float64 [m], in any order.

    """
    places = np.sort(position)
    inside = int(GAP_SHARE * len(places))
    if len(places) <= inside + 1 or places[-1] <= places[0]:
        return 1.0
    return float((places[1 + inside :] - places[: len(places) - 1 - inside]).max() / (places[-1] - places[0]))
