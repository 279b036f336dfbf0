"""Where names stand beside a panel so that none hides another, and text broken into lines."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.canvas import text_width

Places = npt.NDArray[np.float64]


def spread(wanted: Places, *, gap: float, low: float, high: float) -> Places:
    """Places at least ``gap`` apart, in the order of those wanted and as near to them as pushing neighbours allows.

    Parameters
    ----------
    wanted
        [n], any order.
    gap
        Least distance; smaller where so many do not fit.
    low, high
        Ends of the room that there is.

    """
    n = len(wanted)
    if not n:
        return np.empty(0)
    gap = min(gap, (high - low) / max(1, n - 1))
    order = np.argsort(wanted, kind="stable")
    # without the gaps, places that must ascend: runs that would cross stand together about their mean
    runs: list[list[float]] = []
    for value in (wanted[order] - gap * np.arange(n)).tolist():
        runs.append([value, 1.0])
        while len(runs) > 1 and runs[-2][0] > runs[-1][0]:
            (mean, many), (here, few) = runs[-2], runs.pop()
            runs[-1] = [(mean * many + here * few) / (many + few), many + few]
    ascending = np.repeat([mean for mean, _ in runs], [int(many) for _, many in runs])
    found = np.empty(n)
    found[order] = np.clip(ascending, low, max(low, high - gap * (n - 1))) + gap * np.arange(n)
    return found


def break_lines(words: Iterable[str], *, width: float, size: float) -> list[str]:
    """Words joined by spaces into lines of at most ``width`` inches; a longer word has a line of its own."""
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size=size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
