"""One side of a fitted shape: the cluster's points, the shape drawn over them, and the latents' names at it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.colouring import KindColouring
from coactivation_manifolds.figures.frame import Frame, draw_frame
from coactivation_manifolds.figures.outlines import draw_outline
from coactivation_manifolds.figures.points import draw_points, rgb_of
from coactivation_manifolds.figures.shape_labels import spread
from coactivation_manifolds.figures.shape_views import SideView
from coactivation_manifolds.figures.style import INK, MUTED, SMALL
from coactivation_manifolds.geometry.fitted_shape import FittedShape, latent_places, outline

Array = npt.NDArray[np.float64]

LINE_GAP = 0.15
FREE = 0.1
"""Inches between the panel's points and the names round a ring."""
NAMES_BELOW = 0.4
SWATCH = 26.0


def draw_side(
    canvas: Canvas,
    shape: FittedShape,
    view: SideView,
    scores: Array,
    colouring: KindColouring,
    *,
    order: npt.NDArray[np.int64],
    left: float,
    top: float,
    side: float,
) -> Frame:
    """Draw points and outline from one side; gives the frame, for names to be put at places in it.

    Parameters
    ----------
    canvas
        What to draw on.
    shape, view
        What is drawn, from which side.
    scores
        Points in the coordinates of the fit, [n, p].
    colouring
        Of the points.
    order
        The points' numbers in the order to draw them.
    left, top, side
        Of the panel, in inches.

    """
    lines = [line @ view.projection for line in outline(shape)]
    places = scores @ view.projection
    held = np.vstack([places, *lines])
    frame = Frame.around(held[:, 0], held[:, 1], left=left, top=top, side=side)
    if shape.kind == "circle":  # names stand where the numbers would
        below = "across: {}      up: {}".format(*view.labels)
        canvas.write(left + side / 2, top + side + NAMES_BELOW, below, size=SMALL, colour=MUTED, across="center")
    else:
        draw_frame(canvas, frame, view.labels)
    drawn = places[order]
    draw_points(canvas, frame.across(drawn[:, 0]), frame.down(drawn[:, 1]), colouring, order)
    draw_outline(canvas, frame, lines)
    return frame


def name_round_ring(canvas: Canvas, frame: Frame, shape: FittedShape, colouring: KindColouring) -> None:
    """Write the names of the latents outside the panel's ring, each joined to the ring at its angle.

    The lines of ``colouring`` are the latents in their order round the ring.
    """
    order, angles = latent_places(shape)
    turns = angles[order]
    x, y = float(frame.across(shape.fit.centre[0])), float(frame.down(shape.fit.centre[1]))
    ring = shape.fit.radius * frame.side / frame.span
    radius = max(frame.side / 2 + FREE, ring + 2 * FREE)
    right = np.cos(turns) >= 0
    for on_right in (True, False):
        chosen = np.flatnonzero(right == on_right)
        heights = y - radius * np.sin(turns[chosen])
        found = spread(heights, gap=LINE_GAP, low=frame.top - 0.28, high=frame.top + frame.side + 0.28)
        for place, height in zip(chosen.tolist(), found.tolist(), strict=True):
            reach = float(np.sqrt(max(radius**2 - (height - y) ** 2, (0.12 * radius) ** 2)))
            sign = 1 if on_right else -1
            at = x + sign * reach
            turn = float(turns[place])
            foot = np.array([x + ring * np.cos(turn), at - sign * 0.03])
            canvas.line(foot, np.array([y - ring * np.sin(turn), height]), colour=MUTED, points=0.6)
            kind = colouring.kinds[place]
            canvas.scatter(
                np.array([at + sign * 0.05]),
                np.array([height]),
                rgb_of([kind.colour]),
                marker=kind.marker,
                area=SWATCH,
                alpha=1,
            )
            canvas.write(
                at + sign * 0.13, height, kind.name, size=SMALL, across="left" if on_right else "right", up="center"
            )


def mark_places(canvas: Canvas, frame: Frame, places: Array, marks: Sequence[str]) -> None:
    """Write short marks on white at places, [n, 2] in the frame's coordinates."""
    x, y = frame.across(places[:, 0]), frame.down(places[:, 1])
    for across, down, mark in zip(x.tolist(), y.tolist(), marks, strict=True):
        wide = 0.09 + 0.065 * len(mark)
        canvas.fill(across - wide / 2 - 0.01, down - 0.085, wide + 0.02, 0.17, INK)
        canvas.fill(across - wide / 2, down - 0.075, wide, 0.15, "#FFFFFF")
        canvas.write(across, down, mark, size=SMALL, bold=True, across="center", up="center")
