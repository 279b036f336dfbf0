"""The shapes that clusters are tested for. A new shape is one module and one entry here.

An entry's ``statistic`` is what null draws are measured by, thousands of times, so it must be cheap; larger means more
of the shape. ``fit`` gives the parameters, once, with the same number as its field ``statistic``. ``holds`` is what a
cloud must be beside unusual: an arc has a hole that chance does not make, and is no circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.shapes.circle import LEAST_STATISTIC as LEAST_RING
from coactivation_manifolds.geometry.shapes.circle import circle_statistic, fit_circle, is_closed
from coactivation_manifolds.geometry.shapes.cloud import Cloud
from coactivation_manifolds.geometry.shapes.curve import LEAST_EXPLAINED, Curve, curve_statistic, fit_curve, is_open
from coactivation_manifolds.geometry.shapes.helix import LEAST_STATISTIC as LEAST_HELIX
from coactivation_manifolds.geometry.shapes.helix import fit_helix, helix_statistic, is_wound
from coactivation_manifolds.geometry.shapes.simplex import fit_simplex, is_filled, simplex_statistic

Array = npt.NDArray[np.float64]


UNUSUAL = 0.02  # p of a shape, up to which the order decides


class Shape(NamedTuple):
    """How a shape is measured.

    Attributes
    ----------
    statistic
        A cloud to a number, larger for more of the shape, 0 where it cannot be measured.
    fit
        A cloud to a named tuple with the field ``statistic`` and the shape's parameters.
    holds
        Whether a fit may be called by the shape's name.
    least
        Statistics below this are none of the shape and count as this in tests: that a cloud is a little less far from a
        helix than its null is no find.

    """

    statistic: Callable[[Cloud], float]
    fit: Callable[[Cloud], Any]
    holds: Callable[[Any], bool]
    least: float = 0.0


def _of_scores(measure: Callable[[Array], Any]) -> Callable[[Cloud], Any]:
    """The measure of a cloud's scores."""
    return lambda cloud: measure(cloud.scores)


def _fit_curve(cloud: Cloud) -> Curve:
    return fit_curve(cloud.scores, cloud.activations)


SHAPES: Mapping[str, Shape] = {
    "helix": Shape(_of_scores(helix_statistic), _of_scores(fit_helix), is_wound, LEAST_HELIX),
    **{
        f"simplex_{k}": Shape(partial(simplex_statistic, n_vertices=k), partial(fit_simplex, n_vertices=k), is_filled)
        for k in (6, 5, 4, 3)
    },
    "circle": Shape(circle_statistic, fit_circle, is_closed, LEAST_RING),
    "curve": Shape(_of_scores(curve_statistic), _fit_curve, is_open, LEAST_EXPLAINED),
}
"""Most demanding first: along its axis a helix is a circle, a tetrahedron is a triangle in its first plane, and a
triangle's edges are a ring."""


def measure_all(cloud: Cloud, *, shapes: Mapping[str, Shape] = SHAPES) -> Array:
    """The statistic of every shape, float64 [s] in the registry's order; ``least`` where the cloud does not hold.

    A test is of what can be called, and draws are treated alike: a blob that is a little more like a helix than its
    null without being one is no find, and need not be paid for.

    Parameters
    ----------
    cloud
        What is measured (``cloud.make_cloud``).
    shapes
        Which shapes.

    """
    return np.array([_measure(cloud, shape) for shape in shapes.values()])


def _measure(cloud: Cloud, shape: Shape) -> float:
    value = shape.statistic(cloud)
    return value if value > shape.least and shape.holds(shape.fit(cloud)) else shape.least


def call_shape(p: Array, cloud: Cloud, *, shapes: Mapping[str, Shape] = SHAPES) -> str | None:
    """Name of the first shape of the registry that is unusual and holds; None where none holds.

    Only for a cluster whose q for any shape is small enough; all others are blobs or mixtures. Most true shapes have a
    small p for several: a ring and a triangle are both nearer to a thread than their nulls are. Which p is smaller does
    not tell them apart, what they look like does; so of the shapes with p <= 0.02 the first of the registry is called,
    which stands in the order of what asks most of a cloud, and the shape of smallest p where there is none.

    Parameters
    ----------
    p
        float64 [s] of the test, in the order of ``shapes``.
    cloud
        What was measured.
    shapes
        Which shapes.

    """
    names = list(shapes)
    for s in np.argsort(np.maximum(p, UNUSUAL), kind="stable"):
        shape = shapes[names[s]]
        if shape.holds(shape.fit(cloud)):
            return names[s]
    return None
