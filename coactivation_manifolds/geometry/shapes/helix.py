"""Helix: one direction linear in an order parameter, and a circle turning with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.geometry.shapes.cloud import thin

Array = npt.NDArray[np.float64]

N_FITTED = 500  # points that it is fitted to
N_BINS = 40
MOST_TURNS = 6.0
STEP = 0.5  # of turns, in the first search
N_ROUNDS = 4  # of halving the steps of turns and of the axis
LEAST_TURNS = 1.3
LEAST_GAIN = 0.04


class Helix(NamedTuple):
    """A fitted helix.

    Attributes
    ----------
    statistic
        Cross-validated share of variance explained, less that of the better of line and plane circle.
    explained, explained_by_line, explained_by_circle
        Those shares, in [0, 1].
    period
        T, in units of activation along the axis.
    turns
        Turns over the length of the cloud.
    axis
        float64 [3]: direction of the axis in the first three components, unit length.
    radius
        Root mean square of the two half axes of the turning part.
    position
        float64 [m]: the order parameter a of all points, along the axis.

    """

    statistic: float
    explained: float
    explained_by_line: float
    explained_by_circle: float
    period: float
    turns: float
    axis: Array
    radius: float
    position: Array


def helix_statistic(scores: Array) -> float:
    """Gain in cross-validated share of variance of a helix over a line and over a plane circle, in the first three PCs.

    The helix is the regression of the points on [1, a, cos 2 pi a/T, sin 2 pi a/T] (Kantamneni and Tegmark 2025,
    "Language models use trigonometry to do addition", for number helices). The order parameter a is a direction of the
    space, first the best of 13 (axes and diagonals of a cube) together with the best T of a grid from one to six turns
    over the range of a; then both are refined by a pattern search in halving steps. At the direction and T found, each
    half of the points (even and odd, at most 500) is scored by the fit to the other. The residuals of the line (along
    the first component) and of the circle (in the best plane, with every point's angle free) are counted in the same
    three dimensions, without the loss that validation brings.

    Parameters
    ----------
    scores
        float64 [m, p], centred, in principal axes (``make_cloud``). With fewer than three components it is 0.

    """
    if scores.shape[1] < 3 or len(scores) < 20:
        return 0.0
    return float(_fit(thin(scores[:, :3], N_FITTED))[0])


def fit_helix(scores: Array) -> Helix:
    """Fit a helix; for the statistic see ``helix_statistic``."""
    if scores.shape[1] < 3 or len(scores) < 20:
        return Helix(0.0, 0.0, 0.0, 0.0, np.inf, 0.0, np.zeros(3), 0.0, np.zeros(len(scores)))
    points = thin(scores[:, :3], N_FITTED)
    statistic, explained, line, circle, axis, turns, radius = _fit(points)
    return Helix(
        statistic=float(statistic),
        explained=float(explained),
        explained_by_line=float(line),
        explained_by_circle=float(circle),
        period=float(np.ptp(points @ axis) / turns),
        turns=float(turns),
        axis=axis,
        radius=float(radius),
        position=scores[:, :3] @ axis,
    )


def is_wound(helix: Helix) -> bool:
    """Whether the helix turns more than once and explains what neither line nor circle does."""
    return helix.turns >= LEAST_TURNS and helix.statistic >= LEAST_GAIN


@compiled
def _fit(points):  # type: ignore[no-untyped-def]  # typed by numba
    """Statistic, the three shares, axis, turns and radius of the best helix."""
    total = (points * points).sum()
    if total <= 0:
        return 0.0, 0.0, 0.0, 0.0, np.array([1.0, 0.0, 0.0]), 1.0, 0.0
    least, turns, direction = np.inf, 1.0, np.zeros(3)
    for code in range(27):
        trial = np.array([code // 9 - 1.0, code // 3 % 3 - 1.0, code % 3 - 1.0])
        if code <= 13:  # one of each pair of opposite directions
            continue
        trial /= np.sqrt((trial * trial).sum())
        missed, found, _ = _search(points, trial, 1.0, MOST_TURNS, STEP)
        if missed < least:
            least, turns, direction = missed, found, trial
    tilt, spread = 0.3, STEP / 2
    turning = np.zeros((2, 3))
    for _ in range(N_ROUNDS):
        low, high = max(1.0, turns - spread), min(MOST_TURNS, turns + spread)
        least, turns, turning = _search(points, direction, low, high, spread / 2)
        for _ in range(2):
            # two directions across the axis
            flat = np.zeros(3)
            flat[np.argmin(np.abs(direction))] = 1.0
            flat -= (flat * direction).sum() * direction
            flat /= np.sqrt((flat * flat).sum())
            across = np.cross(direction, flat)
            centre = direction
            for step in range(4):
                trial = centre + (tilt if step % 2 else -tilt) * (flat if step < 2 else across)
                trial /= np.sqrt((trial * trial).sum())
                missed, _, found_turning = _search(points, trial, turns, turns, 1.0)
                if missed < least:
                    least, direction, turning = missed, trial, found_turning
            if (direction == centre).all():
                break
        tilt, spread = tilt / 2, spread / 2
    radius = np.sqrt((turning * turning).sum() / 2)
    best = max(0.0, 1 - _missed_in_folds(points, direction, turns) / total)
    line = (points[:, 0] ** 2).sum() / total
    circle = max(1 - _missed_by_circle(points) / total, 0.0)
    return best - max(line, circle), best, line, circle, direction, turns, radius


@compiled
def _bin_sums(points, direction):  # type: ignore[no-untyped-def]  # typed by numba
    """Counts [2, bins] and sums [2, bins, 3] of even and odd points by order parameter, and the sum of squares.

    They stand for the points: the error is that within bins, which no period changes, and that of the bins' means.
    """
    a = points[:, 0] * direction[0] + points[:, 1] * direction[1] + points[:, 2] * direction[2]
    low, wide = a.min(), max(a.max() - a.min(), 1e-300)
    counts, sums = np.zeros((2, N_BINS)), np.zeros((2, N_BINS, 3))
    for t in range(len(points)):
        place = min(N_BINS - 1, int((a[t] - low) / wide * N_BINS))
        counts[t % 2, place] += 1
        for c in range(3):
            sums[t % 2, place, c] += points[t, c]
    return counts, sums


@compiled
def _moments(counts, sums, turns, gram, right):  # type: ignore[no-untyped-def]  # typed by numba
    """Normal equations of the regression on [1, a, cos, sin], a from -1/2 to 1/2, into gram [4, 4] and right [4, 3]."""
    gram[:] = 0
    right[:] = 0
    for b in range(N_BINS):
        a = (b + 0.5) / N_BINS - 0.5
        basis = (1.0, a, np.cos(2 * np.pi * turns * a), np.sin(2 * np.pi * turns * a))
        for i in range(4):
            weight = basis[i] * counts[b]
            for j in range(i + 1):
                gram[i, j] += weight * basis[j]
            for c in range(3):
                right[i, c] += basis[i] * sums[b, c]
    for i in range(4):
        gram[i, i] += 1e-9 * max(1.0, gram[0, 0])
        for j in range(i):
            gram[j, i] = gram[i, j]


@compiled
def _solve(gram, right):  # type: ignore[no-untyped-def]  # typed by numba
    """Gaussian elimination of a positive definite 4 x 4 system, several times faster than a call of LAPACK."""
    left, fit = gram.copy(), right.copy()
    for i in range(4):
        for j in range(i + 1, 4):
            factor = left[j, i] / left[i, i]
            for c in range(i, 4):
                left[j, c] -= factor * left[i, c]
            for c in range(3):
                fit[j, c] -= factor * fit[i, c]
    for i in range(3, -1, -1):
        for c in range(3):
            for j in range(i + 1, 4):
                fit[i, c] -= left[i, j] * fit[j, c]
            fit[i, c] /= left[i, i]
    return fit


@compiled
def _search(points, direction, low, high, step):  # type: ignore[no-untyped-def]  # typed by numba
    """Least squared error over the turns low, low + step, ... high; its turns and turning part [2, 3]."""
    counts, sums = _bin_sums(points, direction)
    counts, sums = counts[0] + counts[1], sums[0] + sums[1]
    squares = (points * points).sum()
    gram, right = np.empty((4, 4)), np.empty((4, 3))
    least, best_turns, best_fit = np.inf, low, np.zeros((4, 3))
    for count in range(int((high - low) / step + 1.5)):
        turns = low + count * step
        _moments(counts, sums, turns, gram, right)
        fit = _solve(gram, right)
        missed = squares - (fit * right).sum()
        if missed < least:
            least, best_turns, best_fit = missed, turns, fit
    return least, best_turns, best_fit[2:]


@compiled
def _missed_in_folds(points, direction, turns):  # type: ignore[no-untyped-def]  # typed by numba
    """Squared error of each half of the points about the fit to the other half."""
    counts, sums = _bin_sums(points, direction)
    gram, right = np.empty((2, 4, 4)), np.empty((2, 4, 3))
    for fold in range(2):
        _moments(counts[fold], sums[fold], turns, gram[fold], right[fold])
    missed = (points * points).sum()
    for fold in range(2):
        fit = _solve(gram[1 - fold], right[1 - fold])
        for i in range(4):
            for c in range(3):
                missed -= 2 * fit[i, c] * right[fold, i, c]
                for j in range(4):
                    missed += fit[i, c] * gram[fold, i, j] * fit[j, c]
    return missed


@compiled
def _missed_by_circle(points):  # type: ignore[no-untyped-def]  # typed by numba
    """Least sum of squared distances from a circle about the mean in a plane of two of the three components."""
    least = np.inf
    for out in range(3):
        i, j = (out + 1) % 3, (out + 2) % 3
        radius = np.sqrt(points[:, i] ** 2 + points[:, j] ** 2)
        least = min(least, ((radius - radius.mean()) ** 2).sum() + (points[:, out] ** 2).sum())
    return least
