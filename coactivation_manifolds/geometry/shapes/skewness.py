"""Multivariate skewness: how much heavier a cloud is on some sides than on the opposite ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled

Array = npt.NDArray[np.float64]


def multivariate_skewness(points: Array) -> float:
    """Mardia's skewness b = sum over i, j of (y_i . y_j)^3 / n^2, with y the points, centred and with covariance 1.

    Mardia 1970, "Measures of multivariate skewness and kurtosis with applications", Biometrika 57. It is the squared
    length of the tensor of third moments, 0 for any cloud that is the same on opposite sides, and
    (k - 1) (k - 2) for equal masses at the k vertices of a simplex. No linear map of the points changes it.

    Parameters
    ----------
    points
        float64 [n, d]. 0 where they lie in fewer than d dimensions.

    """
    return float(_skewness(np.ascontiguousarray(points)))


@compiled
def _skewness(points):  # type: ignore[no-untyped-def]  # typed by numba
    n, d = points.shape
    if n <= d:
        return 0.0
    mean = np.zeros(d)
    for t in range(n):
        for i in range(d):
            mean[i] += points[t, i]
    mean /= n
    root = np.zeros((d, d))
    for t in range(n):
        for i in range(d):
            for j in range(i + 1):
                root[i, j] += (points[t, i] - mean[i]) * (points[t, j] - mean[j])
    root /= n
    # Cholesky in place
    for i in range(d):
        for j in range(i + 1):
            value = root[i, j]
            for c in range(j):
                value -= root[i, c] * root[j, c]
            if i == j:
                if value <= 1e-12 * root[i, i] or value <= 0:
                    return 0.0
                root[i, i] = np.sqrt(value)
            else:
                root[i, j] = value / root[j, j]
    third = np.zeros((d, d, d))
    y = np.empty(d)
    for t in range(n):
        for i in range(d):
            value = points[t, i] - mean[i]
            for c in range(i):
                value -= root[i, c] * y[c]
            y[i] = value / root[i, i]
        for i in range(d):
            for j in range(i + 1):
                both = y[i] * y[j]
                for c in range(j + 1):
                    third[i, j, c] += both * y[c]
    total = 0.0
    for i in range(d):
        for j in range(i + 1):
            for c in range(j + 1):
                # how often the moment stands in the whole tensor
                often = 1 if i == c else (3 if i == j or j == c else 6)
                total += often * (third[i, j, c] / n) ** 2
    return total
