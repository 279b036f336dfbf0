"""What the colours mean, beside a row of panels: names and counts, or a colour bar."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes as Panel

from coactivation_manifolds.figures.colouring import Colouring, ValueColouring
from coactivation_manifolds.figures.style import INK, MUTED, SEQUENTIAL, SMALL

LEGEND = 2.35
"""Width in inches."""


def draw_legend(axes: Panel, colouring: Colouring, *, height: float) -> None:
    """The colours' meaning, beside the last panel."""
    axes.set_axis_off()
    axes.set_xlim(0, LEGEND)
    axes.set_ylim(0, height)
    if isinstance(colouring, ValueColouring):
        draw_scale(axes, colouring, height)
        return
    lines = [*colouring.kinds, *colouring.rest]
    step = min(0.185, height / (len(lines) + 1.5))
    total = sum(line.count for line in lines)
    axes.text(0, height - 0.02, colouring.title, fontweight="bold", va="top", fontsize=SMALL)
    axes.text(LEGEND - 0.15, height - 0.02, "points", color=MUTED, va="top", ha="right", fontsize=SMALL)
    heights = [height - 0.27 - place * step for place in range(len(lines))]
    for marker in dict.fromkeys(line.marker for line in lines):
        here = [(y, line.colour) for y, line in zip(heights, lines, strict=True) if line.marker == marker]
        axes.scatter(
            [0.06] * len(here), [y for y, _ in here], c=[c for _, c in here], marker=marker, s=26, linewidths=0
        )
    for y, line in zip(heights, lines, strict=True):
        colour = MUTED if line in colouring.rest else INK
        axes.text(0.18, y, line.name, va="center", color=colour, fontsize=SMALL)
        share = f"{line.count:,}  ({format_share(line.count / total)})"
        axes.text(LEGEND - 0.15, y, share, va="center", ha="right", color=MUTED, fontsize=SMALL - 0.5)


def format_share(share: float) -> str:
    """A share in whole per cent; ``<1 %`` where that would be 0."""
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def draw_scale(axes: Panel, colouring: ValueColouring, height: float) -> None:
    """A vertical colour bar with five numbers."""
    axes.text(0, height - 0.02, colouring.title, fontweight="bold", va="top", fontsize=SMALL)
    top, bottom = height - 0.35, max(0.1, height - 2.2)
    ramp = np.linspace(0, 1, 128)[:, None]
    axes.imshow(ramp, extent=(0.0, 0.16, bottom, top), origin="lower", cmap=SEQUENTIAL, aspect="auto")
    axes.set_xlim(0, LEGEND)
    axes.set_ylim(0, height)
    for share in np.linspace(0, 1, 5):
        value = round(colouring.low + share * (colouring.high - colouring.low))
        more = " and more" if colouring.is_cut and share == 1 else ""
        axes.text(0.24, bottom + share * (top - bottom), f"{value:,}{more}", va="center", fontsize=SMALL)
