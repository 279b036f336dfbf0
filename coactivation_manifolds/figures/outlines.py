"""The lines of a fitted shape, drawn over points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.frame import Frame
from coactivation_manifolds.figures.style import INK

HALO, LINE = 2.2, 0.9
"""Widths in points of a line and of the white below it, which keeps it visible over dark points."""


def draw_outline(canvas: Canvas, frame: Frame, lines: Sequence[npt.NDArray[np.float64]]) -> None:
    """Draw lines, each [n, 2] in the frame's coordinates, dark on white."""
    for colour, width in (("#FFFFFF", HALO), (INK, LINE)):
        for line in lines:
            canvas.line(frame.across(line[:, 0]), frame.down(line[:, 1]), colour=colour, points=width)
