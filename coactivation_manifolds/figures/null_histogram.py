"""The statistic of a find's shape beside the statistics of its null draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.canvas import Across, Canvas
from coactivation_manifolds.figures.frame import LABEL_GAP, LINE_HEIGHT, TICK_GAP, ticks
from coactivation_manifolds.figures.style import FONT_SIZE, GRID, MUTED, PALETTE, SMALL

N_BINS = 40
ROOM = 0.06
"""Share of the range that is left free on either side."""
NULL, OBSERVED = "#9AA3AD", PALETTE[1]


def draw_null_histogram(
    canvas: Canvas,
    observed: float,
    draws: npt.ArrayLike,
    *,
    label: str,
    note: str = "",
    left: float,
    top: float,
    width: float,
    height: float,
) -> None:
    """Draw a histogram of null draws, and the observed value as a line.

    Parameters
    ----------
    canvas
        What to draw on.
    observed
        The cluster's statistic.
    draws
        float [r], at least one.
    label
        What the statistic is.
    note
        A line below it.
    left, top, width, height
        Of the panel, in inches.

    """
    values = np.asarray(draws, dtype=np.float64)
    low, high = min(observed, float(values.min())), max(observed, float(values.max()))
    room = ROOM * (high - low) or 0.05
    low, span = low - room, high - low + 2 * room
    bottom = top + height
    counts, edges = np.histogram(values, bins=N_BINS, range=(low, low + span))
    places, texts = ticks(low, span)
    for x, text in zip((left + (places - low) * (width / span)).tolist(), texts, strict=True):
        canvas.fill(x, top, 0, height, GRID)
        canvas.write(x, bottom + TICK_GAP, text, size=SMALL, across="center")
    for start, count in zip(edges[:-1].tolist(), counts.tolist(), strict=True):
        if count:
            high_bar = 0.82 * height * count / counts.max()
            canvas.fill(left + (start - low) * (width / span), bottom - high_bar, width / N_BINS, high_bar, NULL)
    canvas.fill(left, bottom, width, 0, MUTED)
    x = left + (observed - low) * (width / span)
    canvas.fill(x - 0.01, top + 0.17, 0.02, height - 0.17, OBSERVED)
    side: Across = "right" if observed > low + span / 2 else "left"
    canvas.write(x, top, f"observed {observed:.3g}", size=SMALL, colour=OBSERVED, bold=True, across=side)
    below = bottom + TICK_GAP + LINE_HEIGHT + LABEL_GAP
    canvas.write(left + width / 2, below, label, size=FONT_SIZE, across="center")
    canvas.write(left + width / 2, below + 0.18, note, size=SMALL, colour=MUTED, across="center")
