"""Persistent homology of a cloud: how long its largest loop lives. Descriptive, never in a p-value.

A draw costs about a tenth of a second, a thousand times more than the statistics of the tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import ConfigError

Array = npt.NDArray[np.float64]

N_LANDMARKS = 400


class Persistence(NamedTuple):
    """Loops (H1) of the Vietoris-Rips filtration.

    Attributes
    ----------
    bars
        float64 [b, 2]: birth and death of each loop, longest first.
    ratio
        Length of the longest bar over that of the second; infinite with one bar, 0 with none.
    over_scale
        Length of the longest bar over the scale, sqrt of the mean squared distance from the mean.

    """

    bars: Array
    ratio: float
    over_scale: float


def measure_persistence(points: npt.ArrayLike, *, n_landmarks: int = N_LANDMARKS) -> Persistence:
    """H1 of at most ``n_landmarks`` landmarks (Bauer 2021, "Ripser: efficient computation of Vietoris-Rips persistence
    barcodes", J. Appl. Comput. Topol. 5).

    Raises
    ------
    ConfigError
        The package ripser is not there.

    """
    try:
        from ripser import ripser
    except ImportError:
        raise ConfigError("persistent homology needs the package ripser: pip install -e .[shapes]") from None
    values = np.asarray(points, dtype=np.float64)
    chosen = values[choose_landmarks(values, n_landmarks)]
    bars = np.asarray(ripser(chosen, maxdim=1)["dgms"][1], dtype=np.float64).reshape(-1, 2)
    length = bars[:, 1] - bars[:, 0]
    order = np.argsort(-length, kind="stable")
    bars, length = bars[order], length[order]
    scale = float(np.sqrt(((values - values.mean(axis=0)) ** 2).sum(axis=1).mean()))
    if not len(bars) or scale == 0:
        return Persistence(bars, 0.0, 0.0)
    ratio = float(length[0] / length[1]) if len(bars) > 1 else float("inf")
    return Persistence(bars, ratio, float(length[0] / scale))


def choose_landmarks(points: Array, n_landmarks: int) -> npt.NDArray[np.int64]:
    """Numbers of the landmarks by maxmin: from the point nearest the mean, each time the point farthest from those
    chosen (de Silva and Carlsson 2004, "Topological estimation using witness complexes").
    """
    n_chosen = min(n_landmarks, len(points))
    chosen = np.empty(n_chosen, dtype=np.int64)
    nearest = np.full(len(points), np.inf)
    last = int(np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1)))
    for place in range(n_chosen):
        chosen[place] = last
        np.minimum(nearest, ((points - points[last]) ** 2).sum(axis=1), out=nearest)
        last = int(np.argmax(nearest))
    return chosen
