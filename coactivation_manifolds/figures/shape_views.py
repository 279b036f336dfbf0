"""From which sides a fitted shape is shown: a ring in its plane, a helix from the side and along its axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.fitted_shape import FittedShape

Array = npt.NDArray[np.float64]

SIMPLEX_PAIRS = {3: ((0, 1),), 4: ((0, 1), (2, 1)), 5: ((0, 1), (2, 3)), 6: ((0, 1), (2, 3), (0, 4))}


class SideView(NamedTuple):
    """A projection of the fit's coordinates to a panel.

    Attributes
    ----------
    projection
        float64 [p, 2].
    labels
        Of the panel's axes.

    """

    projection: Array
    labels: tuple[str, str]


def side_views(shape: FittedShape) -> list[SideView]:
    """The panels that show a shape, the most telling first."""
    if shape.kind == "helix":
        return _views_of_helix(shape)
    if shape.kind == "circle":
        return [_pair(shape, shape.fit.plane)]
    pairs = SIMPLEX_PAIRS[shape.n_vertices] if shape.kind == "simplex" else ((0, 1),)
    return [_pair(shape, pair) for pair in pairs]


def _pair(shape: FittedShape, pair: tuple[int, int]) -> SideView:
    p, shares = shape.axes.n_components, shape.axes.evr
    projection = np.zeros((p, 2))
    labels = []
    for column, component in enumerate(pair):
        if component < p:
            projection[component, column] = 1.0
            labels.append(f"PC{component + 1} of the fit  ({100 * shares[component]:.0f} % of variance)")
        else:
            labels.append("no second component")
    return SideView(projection, (labels[0], labels[1]))


def _views_of_helix(shape: FittedShape) -> list[SideView]:
    axis = shape.fit.axis
    flat = np.eye(3)[np.argmin(np.abs(axis))]
    flat = flat - (flat @ axis) * axis
    flat /= np.linalg.norm(flat)
    turned = np.zeros((shape.axes.n_components, 3))
    turned[:3] = np.column_stack([axis, flat, np.cross(axis, flat)])
    return [
        SideView(turned[:, [0, 1]], ("along the axis", "across it")),
        SideView(turned[:, [1, 2]], ("across the axis", "across it, at a right angle")),
    ]
