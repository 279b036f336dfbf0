"""Birth and death of a cloud's loops (H1): a ring has one that lives far longer than all others."""

from __future__ import annotations

import numpy as np

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.frame import Frame, draw_frame
from coactivation_manifolds.figures.points import rgb_of
from coactivation_manifolds.figures.style import GREY, MUTED, PALETTE, SMALL
from coactivation_manifolds.geometry.shapes.persistence import Persistence

MOST_DRAWN = 300


def draw_persistence(canvas: Canvas, found: Persistence, *, left: float, top: float, side: float) -> None:
    """Draw the longest loops as points above the diagonal, the longest one in colour; a word where there is none."""
    bars = found.bars[:MOST_DRAWN]
    high = float(bars.max(initial=0)) or 1.0
    ends = np.array([0.0, high])
    frame = Frame.around(ends, ends, left=left, top=top, side=side)
    draw_frame(canvas, frame, ("birth of a loop", "death"))
    canvas.line(frame.across(ends), frame.down(ends), colour=MUTED, points=0.8)
    if not len(bars):
        canvas.write(left + side / 2, top + side / 2, "no loop", size=SMALL, colour=MUTED, across="center")
        return
    x, y = frame.across(bars[:, 0]), frame.down(bars[:, 1])
    canvas.scatter(x[1:], y[1:], rgb_of([GREY]), marker="o", area=14)
    canvas.scatter(x[:1], y[:1], rgb_of([PALETTE[1]]), marker="o", area=40, alpha=1)
    others = f", {found.ratio:.1f} times the second" if np.isfinite(found.ratio) else ", the only one"
    canvas.write(
        left + side, top - 0.03, f"longest{others}", size=SMALL, colour=PALETTE[1], across="right", up="bottom"
    )
