"""A sheet of pixels to draw on, for figures that are made by the thousand.

matplotlib's axes make and lay out some hundred artists a figure, which takes far longer than drawing them. Here every
place is known beforehand in inches, nothing is laid out, and nothing is kept from one figure for the next but rendered
strings. Points are drawn by matplotlib's Agg, and text is in its font.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.transforms import IdentityTransform
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from coactivation_manifolds.figures.lettering import line_of_text, render_text
from coactivation_manifolds.figures.style import DPI, FONT_SIZE, INK
from coactivation_manifolds.storage import PathLike, atomic_path

Across = Literal["left", "center", "right"]
Up = Literal["top", "center", "bottom"]
Places = npt.NDArray[np.float64]

ALPHA = 0.8
"""Opacity of points: where they lie on one another, those below still show."""
ROUND_CORNERS = 16
"""Corners of the polygon that stands for a disc of a few pixels; Agg draws it faster than curves."""
COMPRESSION = 3
"""zlib's level for PNGs: a quarter less time than its default of 6, and 6 % more bytes."""


class Canvas:
    """A white sheet; places and sizes are in inches from its upper left corner, x to the right and y down.

    Attributes
    ----------
    width, height
        Inches.
    pixels
        uint8 [rows, columns, 4], what is drawn so far.

    """

    def __init__(self, *, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._renderer = RendererAgg(round(width * DPI), round(height * DPI), DPI)
        self.pixels: npt.NDArray[np.uint8] = np.asarray(self._renderer.buffer_rgba())
        self.pixels[:] = 255

    def fill(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """Fill a rectangle, its edges at whole pixels, at least one pixel wide and high."""
        rows, columns = _pixel_range(top, height), _pixel_range(left, width)
        self.pixels[rows, columns, :3] = _rgb(colour)

    def fill_rows(self, left: float, top: float, width: float, height: float, colours: npt.ArrayLike) -> None:
        """Fill a rectangle with bands of colour, uint8 [n, 3], from its top to its bottom."""
        rows, columns = _pixel_range(top, height), _pixel_range(left, width)
        bands = np.asarray(colours, dtype=np.uint8)
        n_rows = rows.stop - rows.start
        self.pixels[rows, columns, :3] = bands[np.arange(n_rows) * len(bands) // n_rows][:, None]

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = FONT_SIZE,
        colour: str = INK,
        bold: bool = False,
        across: Across = "left",
        up: Up = "top",
    ) -> None:
        """Write one line of text; ``across`` and ``up`` say which part of it stands at (x, y).

        Up and down, that is a part of the line, not of the letters: lines of one height stand level.
        """
        letters = render_text(text, size=size, bold=bold)
        left = round(x * DPI) - _part(letters.width, across)
        top = round(y * DPI) + _base_line(size, bold, up) - letters.above
        self._ink(letters.coverage, top, left, colour)

    def write_upwards(self, right: float, y: float, text: str, *, size: float = FONT_SIZE, colour: str = INK) -> None:
        """Write one line that reads upwards, its lower side at ``right``, centred at ``y``."""
        letters = render_text(text, size=size)
        left = round(right * DPI) + _base_line(size, False, "bottom") - letters.above
        self._ink(np.rot90(letters.coverage), round(y * DPI) - letters.width // 2, left, colour)

    def scatter(
        self,
        x: Places,
        y: Places,
        colours: npt.NDArray[np.float64],
        *,
        marker: str,
        area: float,
        alpha: float = ALPHA,
    ) -> None:
        """Draw points in their order, later ones above.

        Parameters
        ----------
        x, y
            Places, [n].
        colours
            RGB from 0 to 1: [n, 3], or [1, 3] for all.
        marker
            As in matplotlib.
        area
            Of each, in square points.
        alpha
            Opacity.

        """
        if not len(x):
            return
        side = np.sqrt(area) * DPI / 72
        upwards = np.column_stack([x * DPI, len(self.pixels) - y * DPI])  # Agg counts from the bottom
        graphics = self._renderer.new_gc()
        graphics.set_linewidth(0)
        draw: Any = self._renderer.draw_path_collection  # takes arrays, whatever its annotations say
        draw(
            graphics,
            IdentityTransform(),
            [_outline(marker)],
            [np.diag([side, side, 1.0])],
            upwards,
            IdentityTransform(),
            np.column_stack([colours, np.full(len(colours), alpha)]),
            np.empty((0, 4)),
            [0.0],
            [(0, None)],
            [True],
            [None],
            "screen",
        )

    def line(self, x: Places, y: Places, *, colour: str = INK, points: float = 1.2) -> None:
        """Join places by straight lines, in their order; ``points`` is the line's width."""
        if len(x) < 2:
            return
        graphics = self._renderer.new_gc()
        graphics.set_linewidth(points * DPI / 72)
        graphics.set_foreground(colour)
        graphics.set_joinstyle("round")
        graphics.set_capstyle("round")
        upwards = np.column_stack([x * DPI, len(self.pixels) - y * DPI])
        self._renderer.draw_path(graphics, Outline(upwards), IdentityTransform())

    def save(self, path: PathLike, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write the sheet as PNG, complete or absent; the same drawing gives the same bytes.

        ``metadata`` becomes the PNG's text chunks; dates, versions and hosts never enter.
        """
        chunks = PngInfo()
        for key, value in (metadata or {}).items():
            chunks.add_text(key, value)
        image = Image.fromarray(self.pixels).convert("RGB")
        with atomic_path(path) as temporary:
            image.save(temporary, format="png", dpi=(DPI, DPI), compress_level=COMPRESSION, pnginfo=chunks)

    def _ink(self, coverage: npt.NDArray[np.uint8], top: int, left: int, colour: str) -> None:
        """Blend a colour into the pixels where there is ink; what falls off the sheet is cut."""
        rows, columns, _ = self.pixels.shape
        cut_top, cut_left = max(0, -top), max(0, -left)
        coverage = coverage[cut_top : max(0, rows - top), cut_left : max(0, columns - left)]
        height, width = coverage.shape
        top, left = top + cut_top, left + cut_left
        below = self.pixels[top : top + height, left : left + width, :3]
        share = coverage[:, :, None].astype(np.uint16)  # 255 * 255 + 127 still fits
        below[:] = (below * (255 - share) + np.array(_rgb(colour), np.uint16) * share + 127) // 255


def text_width(text: str, *, size: float, bold: bool = False) -> float:
    """Inches that a line of text takes across."""
    return render_text(text, size=size, bold=bold).width / DPI


def _base_line(size: float, bold: bool, up: Up) -> int:
    """Rows from the place where a line is asked for down to its base line."""
    above, below = line_of_text(size=size, bold=bold)
    return {"top": above, "center": above - (above + below) // 2, "bottom": -below}[up]


def _part(length: int, across: Across) -> int:
    return {"left": 0, "center": length // 2, "right": length}[across]


def _pixel_range(start: float, length: float) -> slice:
    first = round(start * DPI)
    return slice(first, max(first + 1, round((start + length) * DPI)))


@lru_cache(maxsize=256)
def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue


@lru_cache(maxsize=16)
def _outline(marker: str) -> Outline:
    """The marker of area 1, as matplotlib's ``scatter`` has it."""
    if marker == "o":
        turns = 2 * np.pi * (np.arange(ROUND_CORNERS) + 0.5) / ROUND_CORNERS
        corners = np.column_stack([np.cos(turns), np.sin(turns)]) / 2
        return Outline(np.vstack([corners, corners[:1]]), closed=True)
    style = MarkerStyle(marker)
    return style.get_path().transformed(style.get_transform())
