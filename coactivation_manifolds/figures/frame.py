"""A square panel for points in the plane: where they fall, and its grid, numbers and labels."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from coactivation_manifolds.figures.canvas import Canvas, text_width
from coactivation_manifolds.figures.style import FONT_SIZE, GRID, INK, MUTED, SMALL

Places = npt.NDArray[np.float64]

MARGIN = 0.05
"""Share of the points' span that is left free on either side."""
TICK_GAP, LABEL_GAP = 0.045, 0.035
LINE_HEIGHT = 0.13
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Frame:
    """A panel in which one unit is as long across as up.

    Attributes
    ----------
    left, top, side
        Inches on the canvas.
    low
        Coordinates at the lower left corner.
    span
        Coordinates from side to side.

    """

    left: float
    top: float
    side: float
    low: tuple[float, float]
    span: float

    @classmethod
    def around(cls, x: Places, y: Places, *, left: float, top: float, side: float) -> Frame:
        """A frame that holds all points, their middle in its own."""
        widest = max(np.ptp(x), np.ptp(y))
        span = float(widest * (1 + 2 * MARGIN)) or 1.0
        middle = [float(values.min() + values.max()) / 2 for values in (x, y)]
        return cls(left, top, side, (middle[0] - span / 2, middle[1] - span / 2), span)

    def across(self, x: npt.ArrayLike) -> Places:
        """Inches from the left edge of the canvas."""
        return self.left + (np.asarray(x) - self.low[0]) * (self.side / self.span)

    def down(self, y: npt.ArrayLike) -> Places:
        """Inches from the top of the canvas."""
        return self.top + self.side - (np.asarray(y) - self.low[1]) * (self.side / self.span)


def draw_frame(canvas: Canvas, frame: Frame, labels: tuple[str, str], *, numbered_up: bool = True) -> None:
    """Draw grid, axes, numbers and labels; to be called before the points are drawn.

    ``numbered_up`` is False where heights mean nothing: then there are no numbers on that side, and the label is muted.
    """
    bottom = frame.top + frame.side
    places, texts = ticks(frame.low[0], frame.span)
    for x, text in zip(frame.across(places).tolist(), texts, strict=True):
        canvas.fill(x, frame.top, 0, frame.side, GRID)
        canvas.write(x, bottom + TICK_GAP, text, size=SMALL, across="center")
    places, texts = ticks(frame.low[1], frame.span)
    for y, text in zip(frame.down(places).tolist(), texts, strict=True):
        canvas.fill(frame.left, y, frame.side, 0, GRID)
        if numbered_up:
            canvas.write(frame.left - TICK_GAP, y, text, size=SMALL, across="right", up="center")
    canvas.fill(frame.left, frame.top, 0, frame.side, MUTED)
    canvas.fill(frame.left, bottom, frame.side, 0, MUTED)
    middle = frame.side / 2
    below = bottom + TICK_GAP + LINE_HEIGHT + LABEL_GAP
    canvas.write(frame.left + middle, below, labels[0], size=FONT_SIZE, across="center")
    widest = max((text_width(text, size=SMALL) for text in texts), default=0.0) if numbered_up else 0.0
    beside = frame.left - TICK_GAP - widest - LABEL_GAP
    canvas.write_upwards(beside, frame.top + middle, labels[1], colour=INK if numbered_up else MUTED)


def ticks(low: float, span: float) -> tuple[Places, list[str]]:
    """Two to four round numbers from ``low`` to ``low + span``, and how they are written."""
    places = np.asarray(MaxNLocator(3).tick_values(low, low + span))
    step = float(places[1] - places[0])
    shown = places[(places >= low) & (places <= low + span)]
    return shown, [format_tick(round(place / step) * step, step) for place in shown.tolist()]


def format_tick(value: float, step: float) -> str:
    """A number with the digits that tell neighbours ``step`` apart."""
    size = max(abs(value), step)
    if step < 1e-4 or size >= 1e6:
        text = f"{value:.3g}"
    else:
        digits = max(0, -floor(log10(step)))
        whole = abs(step * 10**digits - round(step * 10**digits)) < 1e-6
        text = f"{value:,.{digits if whole else digits + 1}f}"
    return text.replace("-", MINUS)
