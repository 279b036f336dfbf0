"""Text as grey levels, each string rendered once: figures of many clusters repeat most of their strings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.ft2font import FT2Font, LoadFlags

from coactivation_manifolds.figures.style import DPI

FONTS = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}
"""Plain and bold; they come with matplotlib: the same on every machine."""
KEPT = 4_096


class Letters(NamedTuple):
    """A rendered string.

    Attributes
    ----------
    coverage
        uint8 [rows, columns]: share of each pixel that is ink, of 255; read-only.
    above
        Rows above the base line.

    """

    coverage: npt.NDArray[np.uint8]
    above: int

    @property
    def below(self) -> int:
        """Rows from the base line down."""
        return len(self.coverage) - self.above

    @property
    def width(self) -> int:
        """Columns."""
        return self.coverage.shape[1]


@lru_cache(maxsize=KEPT)
def render_text(text: str, *, size: float, bold: bool = False) -> Letters:
    """Render one line of text at ``size`` points; what was rendered before changes nothing."""
    font = _font(bold)
    font.clear()
    font.set_size(size, DPI)
    font.set_text(text, flags=LoadFlags.DEFAULT)
    font.draw_glyphs_to_bitmap(antialiased=True)
    coverage = np.array(font.get_image(), dtype=np.uint8)
    coverage.flags.writeable = False
    top = (font.get_width_height()[1] - font.get_descent()) // 64  # both in 64ths of a pixel
    return Letters(coverage, top + 1)  # the bitmap has one empty row above the ink


def line_of_text(*, size: float, bold: bool = False) -> tuple[int, int]:
    """Rows above and below the base line that a line takes, whatever stands in it."""
    tall = render_text("lp", size=size, bold=bold)
    return tall.above, tall.below


@lru_cache(maxsize=1)
def font_characters() -> frozenset[int]:
    """Code points that the figures' font can draw."""
    return frozenset(_font(False).get_charmap())


@lru_cache(maxsize=len(FONTS))
def _font(bold: bool) -> FT2Font:
    return FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / FONTS[bold]))
