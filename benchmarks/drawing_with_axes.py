"""The same figure of a cluster made with matplotlib's axes and artists, to compare the time with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba_array
from matplotlib.ticker import MaxNLocator

from coactivation_manifolds.figures.cluster_header import MARGIN, fact_lines
from coactivation_manifolds.figures.cluster_panel import (
    Grid,
    axis_labels,
    component_pairs,
    panel_colourings,
    panel_scores,
)
from coactivation_manifolds.figures.colouring import Colouring, ValueColouring
from coactivation_manifolds.figures.legend import format_share
from coactivation_manifolds.figures.style import GREY, SEQUENTIAL, SMALL, figure_style, new_figure, save_figure
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import ClusterView


def draw_with_axes(view: ClusterView, names: TokenNames, path: Path, *, basis: str) -> None:
    """Draw panels, legends and facts; the list of members and the bars are left out."""
    colourings = panel_colourings(view, names)
    pairs = component_pairs(view.axes[basis].n_components)
    grid = Grid(len(colourings), len(pairs), 2.0)
    drawn = np.random.default_rng(view.settings["seed"]).permutation(view.sample)
    scores = panel_scores(view, basis)[drawn]
    with figure_style():
        figure, axes = new_figure(grid.rows, grid.columns, width=grid.width, height=grid.height)
        for line, (text, colour) in enumerate(fact_lines(view, basis)):
            figure.text(MARGIN / grid.width, 1 - (0.3 + 0.175 * line) / grid.height, text, color=colour)
        for row, colouring in enumerate(colourings):
            for column, pair in enumerate(pairs):
                panel = axes[row, column]
                panel.set_position(_box(grid, row, column))
                _scatter(panel, scores[:, pair[0]], scores[:, pair[1]], colouring, drawn)
                panel.set_aspect("equal", adjustable="datalim")
                panel.xaxis.set_major_locator(MaxNLocator(3))
                panel.yaxis.set_major_locator(MaxNLocator(3))
                across, up = axis_labels(view, basis, pair)
                panel.set(xlabel=across, ylabel=up)
            axes[row, 0].set_title(f"coloured by {colouring.title}", fontweight="bold").set_in_layout(False)
            _legend(figure.add_axes(_box(grid, row, grid.columns)), colouring)
        save_figure(figure, path)


def _box(grid: Grid, row: int, column: int) -> tuple[float, float, float, float]:
    bottom = grid.height - grid.top(row) - grid.panel
    width = grid.panel / grid.width
    return grid.left(column) / grid.width, bottom / grid.height, width, grid.panel / grid.height


def _scatter(panel: Any, x: Any, y: Any, colouring: Colouring, drawn: Any) -> None:
    style: dict[str, Any] = {"s": float(np.clip(9_000 / len(x), 4.5, 22)), "linewidths": 0, "alpha": 0.8}
    if isinstance(colouring, ValueColouring):
        values = colouring.values[drawn]
        panel.scatter(x, y, c=values, cmap=SEQUENTIAL, vmin=colouring.low, vmax=colouring.high, **style)
        return
    kinds = colouring.of_point[drawn]
    panel.scatter(x[kinds < 0], y[kinds < 0], color=GREY, **style)
    markers = np.array([kind.marker for kind in colouring.kinds])
    colours = to_rgba_array([kind.colour for kind in colouring.kinds])
    for marker in dict.fromkeys(markers.tolist()):
        here = kinds >= 0
        here[here] = markers[kinds[here]] == marker
        panel.scatter(x[here], y[here], c=colours[kinds[here]], marker=marker, **style)


def _legend(axes: Any, colouring: Colouring) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1.05))
    if isinstance(colouring, ValueColouring):
        ramp = np.linspace(0, 1, 128)[:, None]
        axes.imshow(ramp, cmap=SEQUENTIAL, origin="lower", aspect="auto", extent=(0, 0.1, 0, 1))
        axes.set(xlim=(0, 1), ylim=(0, 1.05))
        return
    lines = [*colouring.kinds, *colouring.rest]
    heights = np.linspace(1, 0.1, len(lines))
    total = sum(line.count for line in lines)
    for marker in dict.fromkeys(line.marker for line in lines):
        here = [place for place, line in enumerate(lines) if line.marker == marker]
        colours = [lines[place].colour for place in here]
        axes.scatter([0.03] * len(here), heights[here], c=colours, marker=marker, s=26, linewidths=0)
    for height, line in zip(heights.tolist(), lines, strict=True):
        share = f"{line.count:,}  ({format_share(line.count / total)})"
        axes.text(0.08, height, line.name, fontsize=SMALL, va="center")
        axes.text(0.9, height, share, fontsize=SMALL, va="center", ha="right")
