"""What a cluster is called if its q is small enough: the rule, and the fit that bears it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.fitted_shape import FittedShape, fit_shape
from coactivation_manifolds.geometry.nulls.p_values import NullTest
from coactivation_manifolds.geometry.nulls.shape_test import NEEDS_RECONSTRUCTION
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.registry import SHAPES, call_shape

Array = npt.NDArray[np.float64]


class Candidate(NamedTuple):
    """A shape that holds.

    Attributes
    ----------
    shape
        Its fit, in the basis in which it holds.
    effect
        How far it is beyond its null: the larger excess of its statistics in the bases.

    """

    shape: FittedShape
    effect: float


def find_candidate(
    activations: Array, outcome: NullTest, *, turns: Mapping[str, Array], max_p: float
) -> Candidate | None:
    """The shape that a cluster may be called by; None where none holds, or none that does is unusual.

    A shape is as unusual as the smaller of its p-values in the two bases, which are measured on the same draws. It is
    looked for in the reconstruction first. In the activations alone only shapes are looked for that do not need the
    reconstruction: activations lie on the faces of an orthant, whose edges and corners look like rings and simplices.

    Parameters
    ----------
    activations
        float64 [m, k], the points of the test.
    outcome
        The test's, with statistics in the order of ``shape_test.statistic_names``.
    turns
        The maps to the points of each basis, the reconstruction first.
    max_p
        Largest p of a candidate.

    """
    p = outcome.p.reshape(len(turns), len(SHAPES))
    excess = outcome.excess.reshape(p.shape)
    names = list(SHAPES)
    for number, (basis, turn) in enumerate(turns.items()):
        may = [name for name in names if number == 0 or not name.startswith(NEEDS_RECONSTRUCTION)]
        columns = [names.index(name) for name in may]
        smallest = p[:, columns].min(axis=0)
        unusual = {name: SHAPES[name] for name, value in zip(may, smallest, strict=True) if value <= max_p}
        cloud = make_cloud(activations @ turn, activations=activations)
        called = call_shape(smallest[smallest <= max_p], cloud, shapes=unusual)
        if called is not None:
            kind, _, vertices = called.partition("_")
            fitted = fit_shape(activations, turn=turn, kind=kind, basis=basis, n_vertices=int(vertices or 0))
            return Candidate(fitted, float(excess[:, names.index(called)].max()))
    return None
