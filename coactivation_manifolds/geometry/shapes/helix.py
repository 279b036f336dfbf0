"""Helix: one direction linear in an order parameter, and a circle turning with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.shapes.cloud import thin, widest_gap
from coactivation_manifolds.geometry.shapes.helix_search import find_helix, flatness_of, place_along

Array = npt.NDArray[np.float64]

N_FITTED = 500  # points that it is fitted to
LEAST_POINTS = 20
LEAST_TURNS = 1.3
LEAST_GAIN, LEAST_STATISTIC = 0.15, 0.5
LEAST_FLATNESS = 0.5
MOST_CROWDED = 0.3
WIDEST_GAP = 0.15  # share of the length along the axis


class Helix(NamedTuple):
    """A fitted helix.

    Attributes
    ----------
    statistic
        Share that the helix explains of the variance that the better of line and plane circle leaves over.
    explained, explained_by_line, explained_by_circle
        Shares of variance, in [0, 1]; that of the helix cross-validated.
    period
        T, in units of activation along the axis.
    turns
        Turns over the length of the cloud.
    flatness
        The smaller half axis of the turning part over the larger: 1 for a round helix, 0 for a wave in a plane.
    crowding
        Median of each point's distance from the helix over its distance from the parts of the helix that are at least
        0.35 turns away: small for a thread, near 0.5 where the windings fill a cloud.
    axis
        float64 [3]: direction of the axis in the first three components, unit length.
    radius
        Root mean square of the two half axes of the turning part.
    position
        float64 [m]: the order parameter a of all points, in units of activation along the axis.

    """

    statistic: float
    explained: float
    explained_by_line: float
    explained_by_circle: float
    period: float
    turns: float
    flatness: float
    crowding: float
    axis: Array
    radius: float
    position: Array


def helix_statistic(scores: Array) -> float:
    """Share that a helix explains of what the better of a line and a plane circle leaves over, in the first three PCs.

    (explained - other) / (1 - other), both shares of variance. The pairs of tiles that follow one another wind their
    null clouds too, and gain as much over line and circle; but those threads are thick, which the gain hardly tells and
    what is left over does.

    The helix is the regression of the points on [1, a, cos 2 pi a/T, sin 2 pi a/T] (Kantamneni and Tegmark 2025,
    "Language models use trigonometry to do addition", for number helices). The order parameter a is first a direction
    of the space (``helix_search``). Where such a helix explains more than line and circle do, a becomes each point's
    nearest place on the helix, in turns with the regression, as for a principal curve (Hastie and Stuetzle 1989, JASA
    84): noise along the axis would else blur the windings. Each half of the points (even and odd, at most 500) is
    scored by the fit to the other. The residuals of the line (along the first component) and of the circle (in the best
    plane, with every point's angle free) are counted in the same three dimensions, without the loss that validation
    brings.

    Parameters
    ----------
    scores
        float64 [m, p], centred, in principal axes (``make_cloud``). With fewer than three components it is 0.

    """
    if scores.shape[1] < 3 or len(scores) < LEAST_POINTS:
        return 0.0
    explained, line, circle, _, _ = find_helix(thin(scores[:, :3], N_FITTED))
    return _share_of_rest(explained, max(line, circle))


def fit_helix(scores: Array) -> Helix:
    """Fit a helix; for the statistic see ``helix_statistic``."""
    if scores.shape[1] < 3 or len(scores) < LEAST_POINTS:
        return Helix(0.0, 0.0, 0.0, 0.0, np.inf, 0.0, 0.0, 1.0, np.zeros(3), 0.0, np.zeros(len(scores)))
    explained, line, circle, turns, weights = find_helix(thin(scores[:, :3], N_FITTED))
    rise = float(np.linalg.norm(weights[1]))
    place, _, crowding = place_along(np.ascontiguousarray(scores[:, :3]), weights, turns)
    low, high = np.quantile(place, [0.01, 0.99])
    return Helix(
        statistic=_share_of_rest(explained, max(line, circle)),
        explained=float(explained),
        explained_by_line=float(line),
        explained_by_circle=float(circle),
        period=rise / float(turns),
        turns=float(turns * (high - low) / 0.98),
        flatness=float(flatness_of(weights)),
        crowding=float(np.median(crowding)),
        axis=weights[1] / rise if rise > 0 else np.zeros(3),
        radius=float(np.sqrt((weights[2:] ** 2).sum() / 2)),
        position=place * rise,
    )


def is_wound(helix: Helix) -> bool:
    """Whether the helix turns more than once and in two dimensions, explains what neither line nor circle does, and is
    a thread: its points keep off the other windings, as those of a filled cloud do not, and leave no gap along it.
    """
    gain = helix.explained - max(helix.explained_by_line, helix.explained_by_circle)
    is_helix = helix.turns >= LEAST_TURNS and helix.flatness >= LEAST_FLATNESS and gain >= LEAST_GAIN
    return is_helix and helix.crowding <= MOST_CROWDED and widest_gap(helix.position) <= WIDEST_GAP


def _share_of_rest(explained: float, other: float) -> float:
    """What one explains of the variance that another leaves over; 0 where that leaves none, or explains more."""
    return max(0.0, float((explained - other) / (1 - other))) if other < 1 else 0.0
