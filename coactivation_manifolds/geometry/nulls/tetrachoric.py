"""Tetrachoric correlation: the correlation of two standard normals that pass their thresholds together as often as two
latents fire together (Pearson 1900, Phil. Trans. R. Soc. A 195).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled

Array = npt.NDArray[np.float64]

LARGEST = 0.99
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def joint_rates(thresholds: Array, correlations: Array) -> Array:
    """P(z_i > t_i and z_j > t_j) for every pair, [k, k]; on the diagonal P(z_i > t_i).

    P = P_i P_j + the integral of the bivariate normal density over the correlation from 0 (Plackett 1954, Biometrika
    41), by 24 Gauss-Legendre nodes in the arc sine of the correlation.
    """
    return np.asarray(_joint_rates(thresholds, correlations, _NODES, _WEIGHTS))


def solve_correlations(thresholds: Array, joint: Array) -> Array:
    """Correlations [k, k] within +-0.99 at which every pair's joint rate is the wanted one, or as near as that allows.

    Parameters
    ----------
    thresholds
        float64 [k].
    joint
        float64 [k, k]: wanted P(z_i > t_i and z_j > t_j).

    """
    return np.asarray(_solve(thresholds, joint, _NODES, _WEIGHTS))


def nearest_correlation(matrix: Array, *, least_eigenvalue: float = 1e-6, n_rounds: int = 100) -> Array:
    """The nearest correlation matrix, by alternating projections with Dykstra's correction (Higham 2002, IMA J. Numer.
    Anal. 22).
    """
    nearest, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(n_rounds):
        values, vectors = np.linalg.eigh(nearest - correction)
        if values[0] >= least_eigenvalue and not correction.any():
            return nearest
        definite = (vectors * np.maximum(values, least_eigenvalue)) @ vectors.T
        correction = definite - (nearest - correction)
        moved = definite.copy()
        np.fill_diagonal(moved, 1.0)
        if np.abs(moved - nearest).max() < 1e-4:
            break
        nearest = moved
    # the last projection made the diagonal 1 and may have left the cone by a hair
    values, vectors = np.linalg.eigh(nearest)
    definite = (vectors * np.maximum(values, least_eigenvalue)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(definite))
    return np.asarray(definite * scale * scale[:, None])


@compiled
def _excess(h, k, angle, nodes, weights):  # type: ignore[no-untyped-def]  # typed by numba
    """P(x > h, y > k) less the product of the margins, at correlation sin(angle)."""
    total = 0.0
    for node in range(len(nodes)):
        at = angle * (nodes[node] + 1) / 2
        sine, cosine = np.sin(at), np.cos(at)
        total += weights[node] * np.exp(-(h * h + k * k - 2 * h * k * sine) / (2 * cosine * cosine))
    return total * angle / 2 / (2 * np.pi)


@compiled
def _above(h):  # type: ignore[no-untyped-def]  # typed by numba
    return 0.5 * math.erfc(h / np.sqrt(2.0))


@compiled
def _joint_rates(thresholds, correlations, nodes, weights):  # type: ignore[no-untyped-def]  # typed by numba
    k = len(thresholds)
    rates = np.empty((k, k))
    for i in range(k):
        rates[i, i] = _above(thresholds[i])
        for j in range(i):
            angle = np.arcsin(correlations[i, j])
            extra = _excess(thresholds[i], thresholds[j], angle, nodes, weights)
            rates[i, j] = rates[j, i] = rates[i, i] * rates[j, j] + extra
    return rates


@compiled
def _solve(thresholds, joint, nodes, weights):  # type: ignore[no-untyped-def]  # typed by numba
    k = len(thresholds)
    correlations = np.eye(k)
    widest = np.arcsin(LARGEST)
    for i in range(k):
        for j in range(i):
            wanted = joint[i, j] - _above(thresholds[i]) * _above(thresholds[j])
            low, high = -widest, widest
            for _ in range(24):
                middle = (low + high) / 2
                if _excess(thresholds[i], thresholds[j], middle, nodes, weights) < wanted:
                    low = middle
                else:
                    high = middle
            correlations[i, j] = correlations[j, i] = np.sin((low + high) / 2)
    return correlations
