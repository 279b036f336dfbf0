"""Separability and mixture: whether a plane of components is one thing, or two independent ones, or separate ones.

Definitions 2 and 3 and section 4 of Engels et al. 2024, "Not all language model features are linear": a feature is
reducible where it is separable (two independent parts: S near 0) or a mixture (parts that are not there together: M
large).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled

Array = npt.NDArray[np.float64]

BINS = 10
N_ANGLES = 90
EPSILON = 0.1
N_SHUFFLES = 20
PUBLISHED_FLOOR = 0.01


class Irreducibility(NamedTuple):
    """Separability and mixture of the best plane.

    Attributes
    ----------
    separability
        S of that plane in bits, as defined.
    separability_excess
        S less what independent coordinates of as many points give; at 300 points that is up to 0.2 bit.
    mixture
        M of that plane, in [0, 1].
    rank_value
        Largest (1 - M) x excess over the planes, which decides the plane.
    plane
        The two principal components, from 0.

    """

    separability: float
    separability_excess: float
    mixture: float
    rank_value: float
    plane: tuple[int, int]


def separability(plane: Array, *, n_angles: int = N_ANGLES) -> float:
    """S in bits: the smallest mutual information of the two coordinates over rotations of the plane by [0, pi/2).

    The mutual information is that of a histogram of 10 x 10 equal bins over the range of the points. A quarter turn
    swaps the coordinates, so a quarter of the circle holds all rotations.

    Parameters
    ----------
    plane
        float64 [n, 2].
    n_angles
        Rotations, equally spaced.

    """
    return float(_separability(np.ascontiguousarray(plane, dtype=np.float64), n_angles, BINS)[0])


def separability_excess(plane: Array, *, rng: np.random.Generator, n_angles: int = N_ANGLES) -> float:
    """S less its mean over clouds whose coordinates, at the angle of S, were shuffled; at least 0."""
    points = np.ascontiguousarray(plane, dtype=np.float64)
    value, angle = _separability(points, n_angles, BINS)
    turned = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    chance = [_information(turned[:, 0].copy(), rng.permutation(turned[:, 1]), BINS) for _ in range(N_SHUFFLES)]
    return max(0.0, float(value - np.mean(chance)))


def mixture(plane: Array, *, n_angles: int = 2 * N_ANGLES, epsilon: float = EPSILON) -> float:
    """M: the largest share of points within a strip, max over unit v and offset c of P(|v.f + c| < eps RMS(v.f + c)).

    RMS(v.f + c) = sqrt(E[(v.f + c)^2]), so a strip away from the mean is wider. For each direction of a grid over half
    the circle the best offset lies among those that put the strip's middle on a point or between; they are tried at
    the points' quantiles.

    Parameters
    ----------
    plane
        float64 [n, 2].
    n_angles
        Directions, equally spaced over half the circle.
    epsilon
        Half width of the strip over RMS.

    """
    return float(_mixture(np.ascontiguousarray(plane, dtype=np.float64), n_angles, epsilon))


def measure_irreducibility(scores: Array, *, rng: np.random.Generator) -> Irreducibility:
    """S and M of the plane, among all pairs of the first five components, of largest (1 - M) S.

    Parameters
    ----------
    scores
        float64 [m, p], in principal axes.
    rng
        Shuffles the coordinates for the part of S that is due to few points.

    """
    best = Irreducibility(0.0, 0.0, 1.0, 0.0, (0, 0))
    for pair in combinations(range(min(scores.shape[1], 5)), 2):
        plane = np.ascontiguousarray(scores[:, pair])
        excess, mixed = separability_excess(plane, rng=rng), mixture(plane)
        if (1 - mixed) * excess > best.rank_value or best.plane == (0, 0):
            best = Irreducibility(separability(plane), excess, mixed, (1 - mixed) * excess, pair)
    return best


def published_planes(scores: Array) -> list[tuple[float, float]]:
    """(M, S) of the neighbouring components (1, 2), (2, 3), ... (4, 5), the planes of the published script.

    The script's S is the same histogram at 100 angles of a whole turn, both ends included; its M is a gradient ascent
    on a softened M from a random start. M here is the maximum that it looks for.
    """
    planes = [np.ascontiguousarray(scores[:, i : i + 2], dtype=np.float64) for i in range(min(scores.shape[1], 5) - 1)]
    angles = np.linspace(0, 2 * np.pi, 100)
    return [(mixture(plane), float(_least_information(plane, angles, BINS)[0])) for plane in planes]


def engels_value(planes: Sequence[tuple[float, float]]) -> float:
    """What the script ranks a cluster by: the mean of (1 - M) S over its planes (M, S) and one extra 0."""
    return float(np.mean([0.0, *((1 - m) * s for m, s in planes if m >= PUBLISHED_FLOOR)]))


def engels_rank(planes: Mapping[int, Sequence[tuple[float, float]]]) -> dict[int, int]:
    """Rank clusters as the script published with Engels et al. 2024 does (``analyze_reducibilities``).

    A cluster's value is the mean of (1 - M) S over its planes and one extra 0; planes of M below 0.01 are skipped.
    Clusters of equal value keep their order.

    Parameters
    ----------
    planes
        (M, S) of each plane of each cluster, by cluster; a cluster without planes has value 0.

    Returns
    -------
    dict
        Rank by cluster, from 0.

    """
    values = {cluster: engels_value(pairs) for cluster, pairs in planes.items()}
    ranked = sorted(values, key=lambda cluster: values[cluster], reverse=True)
    return {cluster: rank for rank, cluster in enumerate(ranked)}


@compiled
def _separability(plane, n_angles, bins):  # type: ignore[no-untyped-def]  # typed by numba
    return _least_information(plane, np.arange(n_angles) * (np.pi / 2 / n_angles), bins)


@compiled
def _least_information(plane, angles, bins):  # type: ignore[no-untyped-def]  # typed by numba
    """Smallest mutual information in bits over the angles, and its angle."""
    least, where = np.inf, 0.0
    for angle in angles:
        c, s = np.cos(angle), np.sin(angle)
        bits = _information(c * plane[:, 0] - s * plane[:, 1], s * plane[:, 0] + c * plane[:, 1], bins)
        if bits < least:
            least, where = bits, angle
    return max(0.0, least), where


@compiled
def _information(x, y, bins):  # type: ignore[no-untyped-def]  # typed by numba
    """Mutual information in bits of a histogram with equal bins over the range; 0 where a coordinate is constant."""
    low_x, low_y = x.min(), y.min()
    wide_x, wide_y = x.max() - low_x, y.max() - low_y
    if wide_x <= 0 or wide_y <= 0:
        return 0.0
    joint = np.zeros((bins, bins))
    for t in range(len(x)):
        i = min(bins - 1, int((x[t] - low_x) / wide_x * bins))
        j = min(bins - 1, int((y[t] - low_y) / wide_y * bins))
        joint[i, j] += 1
    joint /= len(x)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    bits = 0.0
    for i in range(bins):
        for j in range(bins):
            if joint[i, j] > 0:
                bits += joint[i, j] * np.log2(joint[i, j] / (rows[i] * columns[j]))
    return bits


@compiled
def _mixture(plane, n_angles, epsilon):  # type: ignore[no-untyped-def]  # typed by numba
    n = len(plane)
    most = 0
    for step in range(n_angles):
        angle = np.pi * step / n_angles
        line = np.sort(np.cos(angle) * plane[:, 0] + np.sin(angle) * plane[:, 1])
        mean, variance = line.mean(), line.var()
        stride = max(1, n // 500)
        for t in range(0, n, stride):
            middle = line[t]
            # RMS about the strip's middle: v.f + c with c = -middle
            half = epsilon * np.sqrt(variance + (mean - middle) ** 2)
            first = np.searchsorted(line, middle - half, side="right")
            last = np.searchsorted(line, middle + half, side="left")
            most = max(most, last - first)
    return most / n
