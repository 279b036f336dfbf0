"""A called shape where it was fitted: the axes of its fit, its outline, and what of it each latent stands at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.pca import Axes
from coactivation_manifolds.geometry.shapes.circle import order_round
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.curve import order_along
from coactivation_manifolds.geometry.shapes.registry import SHAPES

Array = npt.NDArray[np.float64]

N_ROUND = 181
N_STEPS_A_TURN = 60


@dataclass(frozen=True)
class FittedShape:
    """A shape fitted to the points of a cluster.

    Attributes
    ----------
    kind
        ``circle``, ``simplex``, ``helix`` or ``curve``.
    basis
        ``reconstruction`` or ``activations``: what it was fitted in.
    fit
        The named tuple of the shape's module.
    axes
        Principal axes of the trimmed cloud: the fit's coordinates are the scores in them.
    turn
        float64 [k, r]: activations @ turn are the points that the axes belong to.
    activations
        float64 [m, k]: of the points that it was fitted to.

    """

    kind: str
    basis: str
    fit: Any
    axes: Axes
    turn: Array
    activations: Array

    def scores(self, activations: npt.ArrayLike) -> Array:
        """Points in the coordinates of the fit, [n, p], from their activations [n, k]."""
        return self.axes.project(np.asarray(activations, dtype=np.float64) @ self.turn)

    @property
    def n_vertices(self) -> int:
        """Vertices of a simplex, else 0."""
        return len(self.fit.vertices) if self.kind == "simplex" else 0


def fit_shape(activations: npt.ArrayLike, *, turn: Array, kind: str, basis: str, n_vertices: int = 0) -> FittedShape:
    """Fit one shape to a cluster's points, as its test does.

    Parameters
    ----------
    activations
        float [n, k], the points of the test.
    turn
        float64 [k, r]: from activations to the basis of the call.
    kind, basis, n_vertices
        What was called; the number of vertices for a simplex only.

    """
    values = np.asarray(activations, dtype=np.float64)
    cloud = make_cloud(values @ turn, activations=values)
    fit = SHAPES[f"simplex_{n_vertices}" if kind == "simplex" else kind].fit(cloud)
    return FittedShape(kind, basis, fit, cloud.axes, turn, values[cloud.kept])


def outline(shape: FittedShape) -> list[Array]:
    """Lines that draw the shape: each float64 [n, p] in the coordinates of the fit, 0 where it has no extent."""
    draw = {"circle": _ring, "simplex": _edges, "helix": _winding, "curve": _thread}
    return draw[shape.kind](shape)


def place_in(axes: Axes, shape: FittedShape, places: Array) -> Array:
    """Places of the fit, [n, p], as scores [n, q] in other axes over the same latents.

    Scores of the fit stand for points z = mean + scores @ loadings of the turned activations, and the other axes'
    scores are linear in activations, so in z: with weights V that solve turn @ V.T = latent_weights.T.
    """
    turned = shape.axes.mean + places @ shape.axes.loadings
    weights = np.linalg.lstsq(shape.turn, axes.latent_weights.T, rcond=None)[0]
    return np.asarray((turned - axes.latent_mean @ shape.turn) @ weights)


def latent_places(shape: FittedShape) -> tuple[npt.NDArray[np.int64], Array]:
    """Columns of the latents in the shape's order, and each one's place, by column.

    Places are angles in radians round a circle, from 0 to 1 along a curve, units of activation along the axis of a
    helix, and for a simplex the number of the vertex to which a latent's points are nearest, beside all points.
    """
    if shape.kind == "circle":
        return order_round(shape.fit, shape.activations)
    if shape.kind == "curve":
        return order_along(shape.fit, shape.activations)
    weights = shape.activations
    total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    if shape.kind == "helix":
        places = (shape.fit.position @ weights) / total
    else:
        corners = shape.fit.weights - shape.fit.weights.mean(axis=0)
        places = (corners.T @ weights / total).argmax(axis=0).astype(np.float64)
    return np.argsort(places, kind="stable").astype(np.int64), places


def describe_shape(shape: FittedShape, members: Sequence[int]) -> dict[str, Any]:
    """A shape's parameters as they are kept in ``shapes.json``.

    Parameters
    ----------
    shape
        Fitted to the points of a cluster.
    members
        Its latents, in the order of the columns.

    Returns
    -------
    dict
        ``shape``, ``basis``; ``latents`` in the shape's order and the ``places`` of each: degrees round a circle, from
        0 to 1 along a curve, units of activation along a helix's axis, the nearest vertex of a simplex; and what the
        fit says, by the names of its module, in units of activation in the principal axes of the trimmed cloud.

    """
    order, places = latent_places(shape)
    shown = np.degrees(places) if shape.kind == "circle" else places
    kept = {
        name: np.asarray(getattr(shape.fit, name)).tolist()
        for name in shape.fit._fields
        if name not in ("angles", "position", "weights")
    }
    return {
        "shape": shape.kind,
        "basis": shape.basis,
        "latents": [int(members[column]) for column in order.tolist()],
        "places": [round(float(shown[column]), 6) for column in order.tolist()],
        "fit": kept,
    }


def leading_latents(shape: FittedShape, activations: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Column of the latent that is most above its own mean, in its standard deviations, on each point [n, k]."""
    fitted = shape.activations
    spread = np.maximum(fitted.std(axis=0), np.finfo(float).tiny)
    return np.asarray(((np.asarray(activations) - fitted.mean(axis=0)) / spread).argmax(axis=1))


def _blank(shape: FittedShape, n: int) -> Array:
    return np.zeros((n, shape.axes.n_components))


def _ring(shape: FittedShape) -> list[Array]:
    line = _blank(shape, N_ROUND)
    turns = np.linspace(0, 2 * np.pi, N_ROUND)
    i, j = shape.fit.plane
    line[:, i] = shape.fit.centre[0] + shape.fit.radius * np.cos(turns)
    line[:, j] = shape.fit.centre[1] + shape.fit.radius * np.sin(turns)
    return [line]


def _edges(shape: FittedShape) -> list[Array]:
    k = shape.n_vertices
    corners = _blank(shape, k)
    corners[:, : k - 1] = shape.fit.vertices
    return [corners[[i, j]] for i in range(k) for j in range(i + 1, k)]


def _winding(shape: FittedShape) -> list[Array]:
    """The regression of the points on [1, a, cos 2 pi a/T, sin 2 pi a/T], at even steps of a; and the axis itself."""
    position, period = shape.fit.position, shape.fit.period

    def basis(a: Array) -> Array:
        turns = 2 * np.pi * a / period
        return np.column_stack([np.ones_like(a), a, np.cos(turns), np.sin(turns)])

    points = shape.axes.project(shape.activations @ shape.turn)
    weights = np.linalg.lstsq(basis(position), points[:, :3], rcond=None)[0]
    along = np.linspace(position.min(), position.max(), 2 + int(shape.fit.turns * N_STEPS_A_TURN))
    wound, axis = _blank(shape, len(along)), _blank(shape, 2)
    wound[:, :3] = basis(along) @ weights
    axis[:, :3] = basis(along[[0, -1]])[:, :2] @ weights[:2]
    return [wound, axis]


def _thread(shape: FittedShape) -> list[Array]:
    return [np.asarray(shape.fit.knots)]
