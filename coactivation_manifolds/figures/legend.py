"""What the colours mean, beside a row of panels: names and counts, or a colour bar."""

from __future__ import annotations

import matplotlib
import numpy as np

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.colouring import Colouring, ValueColouring
from coactivation_manifolds.figures.points import rgb_of
from coactivation_manifolds.figures.style import INK, MUTED, SEQUENTIAL, SMALL

LEGEND = 2.35
"""Width in inches."""
RIGHT = LEGEND - 0.25
SWATCH = 26.0
"""Area of a marker beside a name, in square points."""


def draw_legend(canvas: Canvas, colouring: Colouring, *, left: float, top: float, height: float) -> None:
    """The colours' meaning, beside the last panel; ``left``, ``top`` and ``height`` in inches."""
    canvas.write(left, top + 0.02, colouring.title, bold=True, size=SMALL)
    if isinstance(colouring, ValueColouring):
        draw_scale(canvas, colouring, left=left, top=top, height=height)
        return
    lines = [*colouring.kinds, *colouring.rest]
    step = min(0.185, height / (len(lines) + 1.5))
    total = sum(line.count for line in lines)
    canvas.write(left + RIGHT, top + 0.02, "points", colour=MUTED, across="right", size=SMALL)
    heights = top + 0.27 + step * np.arange(len(lines))
    markers = np.array([line.marker for line in lines])
    colours = rgb_of([line.colour for line in lines])
    for marker in dict.fromkeys(markers.tolist()):
        here = markers == marker
        x = np.full(int(here.sum()), left + 0.06)
        canvas.scatter(x, heights[here], colours[here], marker=marker, area=SWATCH, alpha=1)
    for y, line in zip(heights.tolist(), lines, strict=True):
        colour = MUTED if line in colouring.rest else INK
        canvas.write(left + 0.18, y, line.name, up="center", colour=colour, size=SMALL)
        share = f"{line.count:,}  ({format_share(line.count / total)})"
        canvas.write(left + RIGHT, y, share, up="center", across="right", colour=MUTED, size=SMALL - 0.5)


def format_share(share: float) -> str:
    """A share in whole per cent; ``<1 %`` where that would be 0."""
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def draw_scale(canvas: Canvas, colouring: ValueColouring, *, left: float, top: float, height: float) -> None:
    """A vertical colour bar with five numbers."""
    first, last = top + 0.35, top + min(height - 0.1, 2.2)
    ramp = matplotlib.colormaps[SEQUENTIAL](np.linspace(1, 0, 256), bytes=True)
    canvas.fill_rows(left, first, 0.16, last - first, ramp[:, :3])
    for share in np.linspace(0, 1, 5):
        value = round(colouring.low + share * (colouring.high - colouring.low))
        more = " and more" if colouring.is_cut and share == 1 else ""
        y = float(last - share * (last - first))
        canvas.write(left + 0.24, y, f"{value:,}{more}", up="center", size=SMALL)
