"""Archetypes: few extreme mixtures of points, of which all points are mixtures. Descriptive, beside the simplex."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.shapes.enclosing_simplex import inscribe

Array = npt.NDArray[np.float64]

N_ROUNDS = 25
N_STEPS = 20


def archetype_share(scores: Array, n_archetypes: int) -> float:
    """Share of the variance that points mixed from archetypes explain, in [0, 1].

    Archetypal analysis (Cutler and Breiman 1994, Technometrics 36): X = A Z with Z = B X, rows of A and B nonnegative
    with sum 1, least squares by projected gradients in turn for A and B (Morup and Hansen 2012, Neurocomputing 80),
    started from the largest simplex among the points. Weak alone: three archetypes explain 1.00 of a triangle, 0.93 of
    a disc and 0.97 of a Gaussian cloud.

    Parameters
    ----------
    scores
        float64 [m, p], centred; the first n_archetypes - 1 columns are used. At most some 1,000 points.
    n_archetypes
        At least 2.

    """
    d = n_archetypes - 1
    if scores.shape[1] < d or len(scores) < n_archetypes:
        return 0.0
    points = scores[:, :d]
    mixing = np.zeros((n_archetypes, len(points)))
    mixing[np.arange(n_archetypes), inscribe(points)] = 1.0
    weights = np.full((len(points), n_archetypes), 1 / n_archetypes)
    for _ in range(N_ROUNDS):
        archetypes = mixing @ points
        weights = _mix(weights, points, archetypes)
        size = np.linalg.norm(weights, 2) ** 2 * np.linalg.norm(points, 2) ** 2
        for _ in range(N_STEPS):
            residual = weights @ (mixing @ points) - points
            mixing = _on_simplex(mixing - weights.T @ residual @ points.T / size)
    missed = ((_mix(weights, points, mixing @ points) @ (mixing @ points) - points) ** 2).sum()
    return float(max(0.0, 1 - missed / (points**2).sum()))


def _mix(weights: Array, points: Array, archetypes: Array) -> Array:
    """Weights [m, k] in the simplex by which archetypes come nearest to the points, accelerated projected gradients."""
    size = np.linalg.norm(archetypes, 2) ** 2
    ahead, momentum = weights, 1.0
    for _ in range(N_STEPS):
        moved = _on_simplex(ahead - (ahead @ archetypes - points) @ archetypes.T / size)
        grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / grown * (moved - weights)
        weights, momentum = moved, grown
    return weights


def _on_simplex(rows: Array) -> Array:
    """Nearest rows that are nonnegative with sum 1 (Held, Wolfe and Crowder 1974, Math. Program. 6)."""
    descending = -np.sort(-rows, axis=1)
    excess = (np.cumsum(descending, axis=1) - 1) / np.arange(1, rows.shape[1] + 1)
    last = (descending > excess).sum(axis=1) - 1
    return np.asarray(np.maximum(rows - excess[np.arange(len(rows)), last][:, None], 0.0))
