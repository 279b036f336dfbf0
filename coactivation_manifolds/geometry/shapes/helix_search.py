"""The search for a helix: its axis, its turns, and each point's place along it, in three dimensions."""

from __future__ import annotations

import numpy as np

from coactivation_manifolds.compiled import compiled

N_BINS = 40  # steps along the helix
MOST_TURNS = 6.0
STEP = 0.5  # of turns, in the first search
N_ROUNDS = 4  # of halving the steps of turns and of the axis
N_FOLLOWED = 3  # rounds of placing points along the helix and fitting it to them
PROMISING_GAIN, PROMISING_TURNS, PROMISING_FLATNESS = 0.02, 1.2, 0.3
APART = 0.35  # turns between parts of the helix that are not next to each other


@compiled
def find_helix(points):  # type: ignore[no-untyped-def]  # typed by numba
    """Fit a helix to points, float64 [n, 3], centred, in principal axes.

    The order parameter is first the best of 13 directions (axes and diagonals of a cube) together with the best number
    of turns of a grid from one to six; then both are refined by a pattern search in halving steps. Where that helix is
    promising, points and helix follow each other: each point is placed where the helix is nearest, and the helix fitted
    to these places.

    Returns
    -------
    tuple
        Shares of variance explained by the helix (each half of the points by the fit to the other), by a line and by a
        circle; turns over the range of the order parameter; coefficients float64 [4, 3] of [1, a, cos 2 pi turns a,
        sin 2 pi turns a], a from -1/2 to 1/2.

    """
    total = (points * points).sum()
    if total <= 0:
        return 0.0, 0.0, 0.0, 1.0, np.zeros((4, 3))
    direction, turns, weights = _find_direction(points)
    bins = _bins_along(points, direction)
    explained = max(0.0, 1 - _missed_in_folds(points, bins, turns) / total)
    line = (points[:, 0] ** 2).sum() / total
    circle = max(1 - _missed_by_circle(points) / total, 0.0)
    gain = explained - max(line, circle)
    if gain >= PROMISING_GAIN and turns >= PROMISING_TURNS and flatness_of(weights) >= PROMISING_FLATNESS:
        for _ in range(N_FOLLOWED):
            counts, sums = _sum_bins(points, bins)
            low, high = max(1.0, turns - 0.1), min(MOST_TURNS, turns + 0.1)
            _, turns, weights = _search(counts[0] + counts[1], sums[0] + sums[1], total, low, high, 0.05)
            place, _, _ = place_along(points, weights, turns)
            for t in range(len(points)):
                bins[t] = min(N_BINS - 1, int((place[t] + 0.5) * N_BINS))
        explained = max(0.0, 1 - _missed_by_halves(points, bins, turns) / total)
    return explained, line, circle, turns, weights


@compiled
def place_along(points, weights, turns):  # type: ignore[no-untyped-def]  # typed by numba
    """Where the helix is nearest to each point: place in [-1/2, 1/2], squared distance, and crowding (``Helix``)."""
    n = len(points)
    curve = _draw(weights, turns)
    apart = APART * N_BINS / turns
    place, missed, crowding = np.empty(n), np.empty(n), np.empty(n)
    away = np.empty(N_BINS)
    for t in range(n):
        near = 0
        for b in range(N_BINS):
            away[b] = 0.0
            for c in range(3):
                away[b] += (points[t, c] - curve[b, c]) ** 2
            if away[b] < away[near]:
                near = b
        other = np.inf
        for b in range(N_BINS):
            if abs(b - near) >= apart:
                other = min(other, away[b])
        # on from the step's middle along the tangent
        before, after = max(near - 1, 0), min(near + 1, N_BINS - 1)
        along, square = 0.0, 1e-300
        for c in range(3):
            tangent = (curve[after, c] - curve[before, c]) / (after - before)
            along += (points[t, c] - curve[near, c]) * tangent
            square += tangent * tangent
        shift = min(0.5, max(-0.5, along / square))
        missed[t] = max(0.0, away[near] - 2 * shift * along + shift * shift * square)
        place[t] = (near + 0.5 + shift) / N_BINS - 0.5
        crowding[t] = np.sqrt(missed[t] / max(other, 1e-300))
    return place, missed, crowding


@compiled
def flatness_of(weights):  # type: ignore[no-untyped-def]  # typed by numba
    """Smaller over larger half axis of the ellipse that the turning part runs round."""
    a = (weights[2] * weights[2]).sum()
    b = (weights[3] * weights[3]).sum()
    root = np.sqrt((a - b) ** 2 + 4 * (weights[2] * weights[3]).sum() ** 2)
    return np.sqrt(max(0.0, a + b - root) / max(a + b + root, 1e-300))


@compiled
def _draw(weights, turns):  # type: ignore[no-untyped-def]  # typed by numba
    """Points of the helix at the middles of its steps, [bins, 3]."""
    curve = np.empty((N_BINS, 3))
    for b in range(N_BINS):
        a = (b + 0.5) / N_BINS - 0.5
        cosine, sine = np.cos(2 * np.pi * turns * a), np.sin(2 * np.pi * turns * a)
        for c in range(3):
            curve[b, c] = weights[0, c] + weights[1, c] * a + weights[2, c] * cosine + weights[3, c] * sine
    return curve


@compiled
def _find_direction(points):  # type: ignore[no-untyped-def]  # typed by numba
    """Direction of the order parameter, turns and coefficients with the least squared error."""
    least, turns, direction = np.inf, 1.0, np.zeros(3)
    for code in range(27):
        trial = np.array([code // 9 - 1.0, code // 3 % 3 - 1.0, code % 3 - 1.0])
        if code <= 13:  # one of each pair of opposite directions
            continue
        trial /= np.sqrt((trial * trial).sum())
        missed, found, _ = _search_along(points, trial, 1.0, MOST_TURNS, STEP)
        if missed < least:
            least, turns, direction = missed, found, trial
    tilt, spread = 0.3, STEP / 2
    weights = np.zeros((4, 3))
    for _ in range(N_ROUNDS):
        low, high = max(1.0, turns - spread), min(MOST_TURNS, turns + spread)
        least, turns, weights = _search_along(points, direction, low, high, spread / 2)
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
                missed, _, found_weights = _search_along(points, trial, turns, turns, 1.0)
                if missed < least:
                    least, direction, weights = missed, trial, found_weights
            if (direction == centre).all():
                break
        tilt, spread = tilt / 2, spread / 2
    return direction, turns, weights


@compiled
def _bins_along(points, direction):  # type: ignore[no-untyped-def]  # typed by numba
    """Step of each point where the order parameter is a direction of the space, int64 [n]."""
    a = points[:, 0] * direction[0] + points[:, 1] * direction[1] + points[:, 2] * direction[2]
    low, wide = a.min(), max(a.max() - a.min(), 1e-300)
    bins = np.empty(len(points), dtype=np.int64)
    for t in range(len(points)):
        bins[t] = min(N_BINS - 1, int((a[t] - low) / wide * N_BINS))
    return bins


@compiled
def _sum_bins(points, bins):  # type: ignore[no-untyped-def]  # typed by numba
    """Counts [2, bins] and sums [2, bins, 3] of even and odd points by step.

    They stand for the points: the squared error is that within steps, which no number of turns changes, and that of the
    steps' means.
    """
    counts, sums = np.zeros((2, N_BINS)), np.zeros((2, N_BINS, 3))
    for t in range(len(points)):
        counts[t % 2, bins[t]] += 1
        for c in range(3):
            sums[t % 2, bins[t], c] += points[t, c]
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
def _search_along(points, direction, low, high, step):  # type: ignore[no-untyped-def]  # typed by numba
    counts, sums = _sum_bins(points, _bins_along(points, direction))
    return _search(counts[0] + counts[1], sums[0] + sums[1], (points * points).sum(), low, high, step)


@compiled
def _search(counts, sums, squares, low, high, step):  # type: ignore[no-untyped-def]  # typed by numba
    """Least squared error over the turns low, low + step, ... high; its turns and coefficients [4, 3]."""
    gram, right = np.empty((4, 4)), np.empty((4, 3))
    least, best_turns, best_fit = np.inf, low, np.zeros((4, 3))
    for count in range(int((high - low) / step + 1.5)):
        turns = low + count * step
        _moments(counts, sums, turns, gram, right)
        fit = _solve(gram, right)
        missed = squares - (fit * right).sum()
        if missed < least:
            least, best_turns, best_fit = missed, turns, fit
    return least, best_turns, best_fit


@compiled
def _missed_in_folds(points, bins, turns):  # type: ignore[no-untyped-def]  # typed by numba
    """Squared error of each half of the points, at their places, about the fit to the other half."""
    counts, sums = _sum_bins(points, bins)
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
def _missed_by_halves(points, bins, turns):  # type: ignore[no-untyped-def]  # typed by numba
    """Squared distance of each half of the points from the helix that is fitted to the other half."""
    counts, sums = _sum_bins(points, bins)
    gram, right = np.empty((4, 4)), np.empty((4, 3))
    missed = 0.0
    for fold in range(2):
        _moments(counts[1 - fold], sums[1 - fold], turns, gram, right)
        _, away, _ = place_along(points[fold::2], _solve(gram, right), turns)
        missed += away.sum()
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
