"""A cluster at a glance: the first two components, coloured as the first row of its figure, without any text."""

from __future__ import annotations

import numpy as np

from coactivation_manifolds.figures.cluster_panel import draw_points, panel_colourings, panel_scores
from coactivation_manifolds.figures.style import GRID, figure_style, new_figure, save_figure
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import ClusterView
from coactivation_manifolds.storage import PathLike

INCHES = 1.2
MAX_POINTS = 1_000


def draw_thumbnail(view: ClusterView, names: TokenNames, path: PathLike) -> None:
    """Write a small square PNG of PC1 and PC2 in the cluster's main basis, of at most 1,000 points."""
    rng = np.random.default_rng(view.settings["seed"])
    drawn = rng.permutation(view.sample)[:MAX_POINTS]
    scores = panel_scores(view, view.basis)[drawn]
    with figure_style():
        figure, axes = new_figure(width=INCHES, height=INCHES)
        panel = axes[0, 0]
        panel.set_position((0.02, 0.02, 0.96, 0.96))
        draw_points(panel, scores[:, 0], scores[:, 1], panel_colourings(view, names)[0], drawn, size=4.0)
        panel.set_aspect("equal", adjustable="datalim")
        panel.set_xticks([])
        panel.set_yticks([])
        for spine in panel.spines.values():
            spine.set(visible=True, color=GRID)
        save_figure(figure, path, metadata={"clustering": view.clustering, "cluster": view.record.name})
