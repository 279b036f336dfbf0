"""Circle: a closed ring in one plane of principal components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.geometry.shapes.cloud import GAP_SHARE, Cloud, have_places

Array = npt.NDArray[np.float64]

N_AXES = 4  # planes of every two among so many components are tried
N_SECTORS = 36
LEAST_SHARE = 0.002  # of the points, that a sector needs to count as covered
NEAR_CENTRE = 0.35  # of the median radius
WIDEST_GAP = 45.0
LEAST_STATISTIC = 0.5
INNER_WEIGHT, MOST_FILLED = 8.0, 1.65  # of kurtosis + 8 inner, see is_closed
N_DIRECTIONS = 12  # that the distance of a latent's points is compared in
LEAST_REACH = 0.98
NOTHING_INSIDE = 0.005  # share of the points
LEAST_PLANE = 0.4  # of the variance; rings of a dozen unlike latents hold half of it
MARGIN = 1.25  # by which a plane of less variance must be more of a ring


class Circle(NamedTuple):
    """A fitted circle.

    Attributes
    ----------
    statistic
        (2 - kurtosis) x coverage, in [0, 1]; larger is more of a ring.
    kurtosis
        Mean fourth power of the distance from the fitted centre, over the square of its mean square: 1 for a ring, 4/3
        for a disc, 2 for a Gaussian cloud.
    coverage
        Share of 36 sectors round the centre that hold at least 0.2 % of the points.
    inner
        Share of the points within 0.35 of the median distance from the centre: 0 for a ring, 0.06 for a disc.
    least_reach
        Mean distance from the centre, weighted by a latent's activation, over the median distance of all points in the
        same direction (one of 12), of the latent for which it is least: 1 where every latent's points lie on the ring,
        less where one stands in the middle. 1 where the latents' activations are not known.
    gap
        Largest angular gap in degrees that holds at most 0.5 % of the points near the ring.
    plane
        The two principal components, from 0.
    share
        Share of the variance of the cloud's components that the plane holds.
    centre, radius
        In that plane, in units of activation.
    angles
        float64 [m], of all points, in radians within (-pi, pi].

    """

    statistic: float
    kurtosis: float
    coverage: float
    inner: float
    least_reach: float
    gap: float
    plane: tuple[int, int]
    share: float
    centre: tuple[float, float]
    radius: float
    angles: Array


def circle_statistic(cloud: Cloud) -> float:
    """How much of a ring a cloud is: (2 - kurtosis of the radius) x coverage in the best plane of principal components.

    The kurtosis is a moment of all points, so it varies little from draw to draw, also where noise fills the middle of
    a ring. The bumps of tiles make a ring wind round once more in components of little variance, so a later plane is
    taken only where it is a quarter more of a ring than those before it.

    The circle of each plane is fitted algebraically (Taubin 1991, IEEE PAMI 13; by the Newton iteration of Chernov
    2010, "Circular and linear regression", chapter 5), which an arc does not draw inwards as the plain algebraic fit.
    The coverage takes the far-off centres that a bent or straight cloud is fitted with: seen from there all points are
    equally far, but lie in few directions.

    Parameters
    ----------
    cloud
        ``make_cloud``. With fewer than two components it is 0.

    """
    return float(_best_circle(cloud.scores, N_AXES)[2])


def fit_circle(cloud: Cloud) -> Circle:
    """Fit a circle in the best plane; for the statistic see ``circle_statistic``."""
    scores = cloud.scores
    i, j, statistic, kurtosis, coverage, x, y, radius = _best_circle(scores, N_AXES)
    if scores.shape[1] < 2:
        return Circle(0.0, 2.0, 0.0, 1.0, 0.0, 360.0, (0, 0), 0.0, (0.0, 0.0), 0.0, np.zeros(len(scores)))
    across, up = scores[:, i] - x, scores[:, j] - y
    distance, angles = np.hypot(across, up), np.arctan2(up, across)
    middle = max(float(np.median(distance)), np.finfo(float).tiny)
    near = np.abs(distance / middle - 1) < 0.25
    return Circle(
        statistic=float(statistic),
        kurtosis=float(kurtosis),
        coverage=float(coverage),
        inner=float((distance < NEAR_CENTRE * middle).mean()),
        least_reach=_least_reach(distance, angles, cloud.activations),
        gap=largest_gap(angles[near]),
        plane=(int(i), int(j)),
        share=float((scores[:, [i, j]] ** 2).sum() / max((scores**2).sum(), np.finfo(float).tiny)),
        centre=(float(x), float(y)),
        radius=float(radius),
        angles=angles,
    )


def largest_gap(angles: Array) -> float:
    """Largest angle in degrees that holds at most 0.5 % of the points."""
    inside = int(GAP_SHARE * len(angles))
    if len(angles) <= inside + 1:
        return 360.0
    turns = np.sort(angles)
    ahead = np.roll(turns, -1 - inside)
    ahead[len(turns) - 1 - inside :] += 2 * np.pi
    return float(np.degrees((ahead - turns).max()))


def is_closed(circle: Circle) -> bool:
    """Whether the ring is closed, hollow and large enough to be called a circle; an arc of 270 degrees is a curve.

    Hollow: kurtosis + 8 inner is 1 for a ring, 1.8 for a disc, 2.6 for a Gaussian cloud. Noise makes a ring thick,
    which raises its kurtosis, long before it reaches the middle; a filled cloud has both. And no latent stands in the
    middle: a sheet tiled by nine latents is nearly as hollow as a noisy ring, since the code lifts the points of the
    middle latent out of the plane, but that latent is there. Where hardly a point lies inside, none can stand there.
    """
    if circle.statistic < LEAST_STATISTIC or circle.gap > WIDEST_GAP or circle.share < LEAST_PLANE:
        return False
    if circle.kurtosis + INNER_WEIGHT * circle.inner > MOST_FILLED:
        return False
    return circle.least_reach >= LEAST_REACH or circle.inner <= NOTHING_INSIDE


def order_round(circle: Circle, activations: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Order of the latents round the ring, and their angles.

    A latent's angle is the circular mean of its points' angles, weighted by its activation (Mardia and Jupp 2000,
    "Directional statistics", section 2.2).

    Parameters
    ----------
    circle
        The fit.
    activations
        float [m, k], of the points that the circle was fitted to.

    Returns
    -------
    tuple
        int64 [k], columns by ascending angle; float64 [k], angles in radians within (-pi, pi], by column.

    """
    resultant = np.exp(1j * circle.angles) @ np.asarray(activations, dtype=np.float64)
    angles = np.angle(resultant)
    return np.argsort(angles, kind="stable").astype(np.int64), angles


def _least_reach(distance: Array, angles: Array, activations: Array | None) -> float:
    """As in ``Circle``; latents that hardly ever fire have no place."""
    if activations is None:
        return 1.0
    sector = np.minimum(((angles + np.pi) / (2 * np.pi) * N_DIRECTIONS).astype(np.int64), N_DIRECTIONS - 1)
    usual = np.array([np.median(distance[sector == s]) if (sector == s).any() else 1.0 for s in range(N_DIRECTIONS)])
    total = activations.sum(axis=0)
    fires = have_places(activations)
    reach = distance / np.maximum(usual, np.finfo(float).tiny)[sector]
    return float((reach @ activations[:, fires] / total[fires]).min()) if fires.any() else 1.0


@compiled
def _best_circle(scores, n_axes):  # type: ignore[no-untyped-def]  # typed by numba
    """Plane, statistic, kurtosis, coverage, centre and radius of the plane with the largest statistic."""
    p = scores.shape[1]
    best = (0, 0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(min(p, n_axes)):
        for j in range(i + 1, min(p, n_axes)):
            x, y, radius, kurtosis = _taubin(scores, i, j)
            least = MARGIN * best[2]
            if 2 - kurtosis <= least:
                continue
            statistic = (2 - kurtosis) * _coverage(scores, i, j, x, y)
            if statistic > least:
                best = (i, j, statistic, kurtosis, statistic / (2 - kurtosis), x, y, radius)
    return best


@compiled
def _coverage(scores, i, j, x, y):  # type: ignore[no-untyped-def]  # typed by numba
    counts = np.zeros(N_SECTORS, dtype=np.int64)
    for t in range(len(scores)):
        turn = (np.arctan2(scores[t, j] - y, scores[t, i] - x) + np.pi) / (2 * np.pi)
        counts[min(N_SECTORS - 1, int(turn * N_SECTORS))] += 1
    least = max(1.0, LEAST_SHARE * len(scores))
    return (counts >= least).sum() / N_SECTORS


@compiled
def _taubin(scores, i, j):  # type: ignore[no-untyped-def]  # typed by numba
    """Centre, radius and kurtosis about the centre: Newton's method from 0 on the characteristic polynomial of the
    fit's moments, which give the kurtosis too.
    """
    n = len(scores)
    mean_x = mean_y = 0.0
    for t in range(n):
        mean_x += scores[t, i]
        mean_y += scores[t, j]
    mean_x, mean_y = mean_x / n, mean_y / n
    xx = yy = xy = xz = yz = zz = 0.0
    for t in range(n):
        x, y = scores[t, i] - mean_x, scores[t, j] - mean_y
        z = x * x + y * y
        xx += x * x
        yy += y * y
        xy += x * y
        xz += x * z
        yz += y * z
        zz += z * z
    xx, yy, xy, xz, yz, zz = xx / n, yy / n, xy / n, xz / n, yz / n, zz / n
    z = xx + yy
    det = xx * yy - xy * xy
    spread = zz - z * z
    a3, a2 = 4 * z, -3 * z * z - zz
    a1 = spread * z + 4 * det * z - xz * xz - yz * yz
    a0 = xz * (xz * yy - yz * xy) + yz * (yz * xx - xz * xy) - spread * det
    root, value = 0.0, np.inf
    for _ in range(50):
        now = a0 + root * (a1 + root * (a2 + root * a3))
        if abs(now) >= abs(value):
            break
        value = now
        slope = a1 + root * (2 * a2 + 3 * a3 * root)
        if slope == 0:
            break
        root -= now / slope
    below = 2 * (root * root - root * z + det)
    x = y = 0.0
    if below != 0:
        x = (xz * (yy - root) - yz * xy) / below
        y = (yz * (xx - root) - xz * xy) / below
    away = x * x + y * y
    square = z + away
    fourth = zz + 4 * (x * x * xx + 2 * x * y * xy + y * y * yy) + away * away - 4 * (x * xz + y * yz) + 2 * away * z
    kurtosis = fourth / (square * square) if square > 0 else 2.0
    return x + mean_x, y + mean_y, np.sqrt(square), kurtosis
