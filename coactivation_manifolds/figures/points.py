"""The points of a panel in their colours."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgba_array

from coactivation_manifolds.figures.canvas import Canvas
from coactivation_manifolds.figures.colouring import Colouring, ValueColouring
from coactivation_manifolds.figures.style import GREY, SEQUENTIAL

Places = npt.NDArray[np.float64]


def draw_points(
    canvas: Canvas,
    x: Places,
    y: Places,
    colouring: Colouring,
    drawn: npt.NDArray[np.int64],
    *,
    size: float | None = None,
) -> None:
    """Scatter one panel: grey below, then marker by marker, points in random order so that none hides all.

    Parameters
    ----------
    canvas
        What to draw on.
    x, y
        Inches, of the drawn points.
    colouring
        Of all points.
    drawn
        Places among all points of the drawn ones, in the order to draw them.
    size
        A point's area in square points; by default it follows from how many points there are.

    """
    size = size or float(np.clip(9_000 / max(1, len(x)), 4.5, 22))
    if isinstance(colouring, ValueColouring):
        values = colouring.values[drawn]
        _scatter_grey(canvas, x, y, values < 0, size)
        known = values >= 0
        share = (values[known] - colouring.low) / (colouring.high - colouring.low)
        colours = matplotlib.colormaps[SEQUENTIAL](np.clip(share, 0, 1))[:, :3]
        canvas.scatter(x[known], y[known], colours, marker="o", area=size)
        return
    kinds = colouring.of_point[drawn]
    _scatter_grey(canvas, x, y, kinds < 0, size)
    markers = np.array([kind.marker for kind in colouring.kinds])
    colours = rgb_of([kind.colour for kind in colouring.kinds])
    for marker in dict.fromkeys(markers.tolist()):
        here = kinds >= 0
        here[here] = markers[kinds[here]] == marker
        larger = size * (2.2 if marker != "o" else 1)
        canvas.scatter(x[here], y[here], colours[kinds[here]], marker=marker, area=larger)


def rgb_of(colours: Sequence[str]) -> npt.NDArray[np.float64]:
    """Red, green and blue from 0 to 1 of named colours, [n, 3]."""
    return to_rgba_array(list(colours))[:, :3]


def _scatter_grey(canvas: Canvas, x: Places, y: Places, grey: npt.NDArray[np.bool_], size: float) -> None:
    canvas.scatter(x[grey], y[grey], rgb_of([GREY]), marker="o", area=size)
