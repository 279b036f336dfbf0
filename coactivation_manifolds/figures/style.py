"""The look of every figure, and how one with axes becomes a file: Agg, the same bytes for the same drawing.

Clusters are drawn on a ``canvas`` instead. Use::

    with figure_style():
        figure, axes = new_figure(1, 2, width=8, height=3)
        ...
        save_figure(figure, path, metadata={"clustering": "components_j0.20"})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import matplotlib
import numpy as np

from coactivation_manifolds.storage import PathLike, atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
"""Eight colours that colour-blind readers tell apart (Okabe and Ito 2008), strongest first."""

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
"""Markers for a second round of the palette: colour i with marker i // 8."""

GREY = "#B8BCC2"
"""Everything that is not named."""
INK = "#22262B"
"""Text and lines."""
MUTED = "#6A7078"
"""Secondary text."""
GRID = "#E6E8EB"
SEQUENTIAL = "cividis"
"""Colour map of ordered numbers: perceptually even and safe for colour-blind readers (Nunez et al. 2018)."""

DPI = 110
FONT_SIZE = 8.5
SMALL = 7.5
TITLE = 11.0

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE + 0.5,
    "axes.titlelocation": "left",
    "axes.labelsize": FONT_SIZE,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # tokens hold dollar signs
    "text.usetex": False,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "path.simplify": True,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw in the project's style, whatever a user's matplotlibrc says; the global settings are given back after."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for key, value in _RC.items():
            matplotlib.rcParams[cast(Any, key)] = value
        yield


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float, height: float, **options: Any
) -> tuple[Figure, np.ndarray[tuple[int, int], np.dtype[np.object_]]]:
    """Make a figure with a grid of axes, without pyplot (no global state, nothing to close).

    Parameters
    ----------
    rows, columns
        The grid of axes.
    width, height
        Inches.
    options
        Passed to ``Figure.subplots``, e.g. ``gridspec_kw``, ``sharex``.

    Returns
    -------
    figure, axes
        ``axes`` is always an array of shape [rows, columns].

    """
    # here, because the figures of clusters need these colours but no axes, and jobs wait for imports
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, axes


def save_figure(figure: Figure, path: PathLike, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a figure as PNG, complete or absent; the same drawing gives the same bytes.

    ``metadata`` becomes the PNG's text chunks; dates, versions and hosts never enter.
    """
    chunks: dict[str, str | None] = {"Software": None, **(metadata or {})}
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata=chunks)
