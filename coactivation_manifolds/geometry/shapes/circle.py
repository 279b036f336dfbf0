"""Circle: a closed ring in one plane of principal components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.geometry.shapes.cloud import GAP_SHARE

Array = npt.NDArray[np.float64]

N_AXES = 4  # planes of every two among so many components are tried
N_SECTORS = 36
LEAST_SHARE = 0.002  # of the points, that a sector needs to count as covered
INNER = 0.05  # quantile of the radius that measures the hole
WIDEST_GAP = 45.0
LEAST_STATISTIC = 0.4
MOST_SPREAD = 0.34  # of the radius, over its mean; a disc has 0.354, a Gaussian cloud 0.52
LEAST_PLANE = 0.4  # of the variance; rings of a dozen unlike latents hold half of it
MARGIN = 1.25  # by which a plane of less variance must be more of a ring


class Circle(NamedTuple):
    """A fitted circle.

    Attributes
    ----------
    statistic
        hole x coverage, in [0, 1]; larger is more of a ring.
    hole
        5 % quantile of the distance from the fitted centre, over its median: 1 for a ring, 0.32 for a disc.
    coverage
        Share of 36 sectors round the centre that hold at least 0.2 % of the points.
    radius_cv
        Standard deviation of the distance from the centre over its mean.
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
    hole: float
    coverage: float
    radius_cv: float
    gap: float
    plane: tuple[int, int]
    share: float
    centre: tuple[float, float]
    radius: float
    angles: Array


def circle_statistic(scores: Array) -> float:
    """How much of a ring a cloud is: hole x coverage in the best plane of principal components.

    The bumps of tiles make a ring wind round once more in components of little variance, so a later plane is taken only
    where it is a quarter more of a ring than those before it.

    The circle of each plane is fitted algebraically (Taubin 1991, IEEE PAMI 13; by the Newton iteration of Chernov
    2010, "Circular and linear regression", chapter 5), which an arc does not draw inwards as the plain algebraic fit.
    The coverage takes the far-off centres that a bent or straight cloud is fitted with: seen from there it has a hole,
    but lies in few directions.

    Parameters
    ----------
    scores
        float64 [m, p], centred, in principal axes (``make_cloud``). With fewer than two components it is 0.

    """
    return float(_best_circle(scores, N_AXES)[2])


def fit_circle(scores: Array) -> Circle:
    """Fit a circle in the best plane; for the statistic see ``circle_statistic``."""
    i, j, statistic, hole, coverage, x, y, radius = _best_circle(scores, N_AXES)
    if scores.shape[1] < 2:
        return Circle(0.0, 0.0, 0.0, np.inf, 360.0, (0, 0), 0.0, (0.0, 0.0), 0.0, np.zeros(len(scores)))
    across, up = scores[:, i] - x, scores[:, j] - y
    distance, angles = np.hypot(across, up), np.arctan2(up, across)
    near = np.abs(distance / np.median(distance) - 1) < 0.25
    return Circle(
        statistic=float(statistic),
        hole=float(hole),
        coverage=float(coverage),
        radius_cv=float(distance.std() / distance.mean()),
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
    """Whether the ring is closed, hollow and large enough to be called a circle; an arc of 270 degrees is a curve."""
    is_ring = circle.statistic >= LEAST_STATISTIC and circle.radius_cv <= MOST_SPREAD
    return is_ring and circle.gap <= WIDEST_GAP and circle.share >= LEAST_PLANE


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


@compiled
def _best_circle(scores, n_axes):  # type: ignore[no-untyped-def]  # typed by numba
    """Plane, statistic, hole, coverage, centre and radius of the plane with the largest statistic."""
    n, p = scores.shape
    best = (0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    distance = np.empty(n)
    across, up = np.empty(n), np.empty(n)
    for i in range(min(p, n_axes)):
        for j in range(i + 1, min(p, n_axes)):
            for t in range(n):
                across[t] = scores[t, i]
                up[t] = scores[t, j]
            x, y, radius = _taubin(across, up)
            for t in range(n):
                distance[t] = np.sqrt((across[t] - x) ** 2 + (up[t] - y) ** 2)
            coverage = _coverage(across, up, x, y)
            least = MARGIN * best[2]
            if coverage <= least:
                continue
            inner = np.partition(distance, int(INNER * n))[int(INNER * n)]
            middle = np.partition(distance, n // 2)[n // 2]
            hole = inner / middle if middle > 0 else 0.0
            if hole * coverage > least:
                best = (i, j, hole * coverage, hole, coverage, x, y, radius)
    return best


@compiled
def _coverage(across, up, x, y):  # type: ignore[no-untyped-def]  # typed by numba
    counts = np.zeros(N_SECTORS, dtype=np.int64)
    for t in range(len(across)):
        turn = (np.arctan2(up[t] - y, across[t] - x) + np.pi) / (2 * np.pi)
        counts[min(N_SECTORS - 1, int(turn * N_SECTORS))] += 1
    least = max(1.0, LEAST_SHARE * len(across))
    return (counts >= least).sum() / N_SECTORS


@compiled
def _taubin(across, up):  # type: ignore[no-untyped-def]  # typed by numba
    """Centre and radius: Newton's method from 0 on the characteristic polynomial of the fit's moments."""
    n = len(across)
    mean_x, mean_y = across.mean(), up.mean()
    xx = yy = xy = xz = yz = zz = 0.0
    for t in range(n):
        x, y = across[t] - mean_x, up[t] - mean_y
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
    if below == 0:
        return mean_x, mean_y, np.sqrt(z)
    x = (xz * (yy - root) - yz * xy) / below
    y = (yz * (xx - root) - xz * xy) / below
    return x + mean_x, y + mean_y, np.sqrt(x * x + y * y + z)
