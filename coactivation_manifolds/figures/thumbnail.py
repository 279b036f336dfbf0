"""A cluster at a glance: the first two components, coloured as the first row of its figure, without any text."""

from __future__ import annotations

import numpy as np

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.cluster_panel import panel_colourings, panel_scores
from coactivation_manifolds.figures.frame import Frame
from coactivation_manifolds.figures.points import draw_points
from coactivation_manifolds.figures.style import GRID
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.storage import PathLike

INCHES = 1.2
BORDER = 0.024
MAX_POINTS = 1_000


def draw_thumbnail(view: ClusterView, names: TokenNames, path: PathLike) -> None:
    """Write a small square PNG of PC1 and PC2 in the cluster's main basis, of at most 1,000 points."""
    rng = np.random.default_rng(view.settings["seed"])
    drawn = rng.permutation(view.sample)[:MAX_POINTS]
    scores = panel_scores(view, view.basis)[drawn]
    canvas = Canvas(width=INCHES, height=INCHES)
    side = INCHES - 2 * BORDER
    frame = Frame.around(scores[:, 0], scores[:, 1], left=BORDER, top=BORDER, side=side)
    for edge in (BORDER, BORDER + side):
        canvas.fill(edge, BORDER, 0, side, GRID)
        canvas.fill(BORDER, edge, side, 0, GRID)
    x, y = frame.across(scores[:, 0]), frame.down(scores[:, 1])
    draw_points(canvas, x, y, panel_colourings(view, names)[0], drawn, size=4.0)
    canvas.save(path, metadata={"clustering": view.clustering, "cluster": view.record.name})
