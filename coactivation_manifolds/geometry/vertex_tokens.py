"""Which tokens stand at the vertices of a simplex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coactivation_manifolds.geometry.fitted_shape import FittedShape
from coactivation_manifolds.geometry.shape_points import TestedPoints
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.simplex import vertex_points

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

NEAR_VERTEX = 50
N_TOKENS = 5


def vertex_token_ids(shape: FittedShape, tested: TestedPoints, index: FeatureIndex) -> list[list[int]]:
    """The most frequent token ids of the 50 points nearest each vertex, at most five; fewer where ids are unknown.

    Parameters
    ----------
    shape
        A simplex, fitted to the activations of ``tested``.
    tested
        The cluster's sample.
    index
        The experiment's, which knows the tokens.

    """
    kept = make_cloud(tested.activations @ shape.turn, activations=tested.activations).kept
    found = []
    for nearest in vertex_points(shape.fit, NEAR_VERTEX):
        ids = index.tokens(tested.token_rows[kept[nearest]])["token_id"].drop_null().to_numpy()
        kinds, counts = np.unique(ids, return_counts=True)
        found.append([int(kind) for kind in kinds[np.lexsort((kinds, -counts))][:N_TOKENS]])
    return found
