"""Null clouds for a cluster: what its latents one by one and two by two would make of it, and nothing more.

Points are drawn from a Gaussian copula. Each latent fires where a standard normal passes its threshold; the normals'
correlations are such that every two latents fire together as often as they do. How strongly a firing latent fires is
its own quantile at a second normal, whose correlations are those of the normal scores of two latents where both fire:
one normal for both would tie a latent's strength to whether others fire, which shows in mixtures and blobs as shape.
Draws with fewer than ``min_active`` firing latents are dropped, as such tokens are no points.

The thresholds belong to all draws, of which the points are a share. With too large a share, latents that exclude one
another ask for correlations that no matrix has. So the share is chosen, and the rates asked for are then corrected by
proportional fitting, until the kept draws fire, alone and in pairs, as the points do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.geometry.nulls.strengths import Strengths, fit_strengths, score_pairs
from coactivation_manifolds.geometry.nulls.tetrachoric import nearest_correlation, solve_correlations

Array = npt.NDArray[np.float64]

SHARES = (0.99, 0.9, 0.75, 0.6, 0.45, 0.35)  # of draws that are points; fewer would make draws dear
N_TRIAL, N_ROUNDS = 8_192, 6
N_CELLS = 512
LEAST_RATE, LARGEST_RATE = 1e-5, 0.999


class Copula(NamedTuple):
    """A fitted copula.

    Attributes
    ----------
    thresholds
        float64 [k].
    root
        float64 [k, k]: lower triangular, root @ root.T is the correlation matrix.
    strengths
        How the second normals depend on the first and on one another.
    positives
        float64 [sum of counts]: each latent's positive activations, ascending, one latent after the other.
    offsets
        int64 [k + 1]: where each latent's begin.
    min_active
        Latents that fire on a point at least.
    kept
        Share of draws that are points.
    marginal_error, pair_error
        Largest difference of a latent's share of points, and of a pair's, between the cluster and trial draws. Pairs
        that no Gaussian copula can hold apart together show here.

    """

    thresholds: Array
    root: Array
    strengths: Strengths
    positives: Array
    offsets: npt.NDArray[np.int64]
    min_active: int
    kept: float
    marginal_error: float
    pair_error: float


def fit_copula(activations: npt.ArrayLike, *, rng: np.random.Generator, min_active: int = 1) -> Copula:
    """Fit a copula to a cluster's points.

    Parameters
    ----------
    activations
        float [n, k] >= 0; at least ``min_active`` positive in each row. Latents that never fire stay silent.
    rng
        Makes the trial draws that rates are corrected with.
    min_active
        As in ``geometry.min_active``.

    """
    values = np.asarray(activations, dtype=np.float64)
    fires = (values > 0).astype(np.float64)
    wanted = fires.T @ fires / len(values)
    normals = rng.standard_normal((N_TRIAL, values.shape[1]), dtype=np.float32).astype(np.float64)

    def error(trial: _Trial) -> float:
        return float(((trial.rates - wanted) ** 2).sum())

    trials = [_Trial.of(share * wanted, normals, min_active) for share in SHARES]
    best = trial = min(trials, key=error)
    for _ in range(N_ROUNDS):
        trial = _Trial.of(_correct(trial.asked, wanted, trial.rates), normals, min_active)
        best = min(best, trial, key=error)
    counts = fires.sum(axis=0).astype(np.int64)
    off = np.abs(best.rates - wanted)
    alone = float(np.diag(off).max())
    np.fill_diagonal(off, 0.0)
    return Copula(
        thresholds=best.thresholds,
        root=best.root,
        strengths=fit_strengths(score_pairs(values), best.thresholds, best.root @ best.root.T),
        positives=np.concatenate([np.sort(column[column > 0]) for column in values.T]),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        min_active=min_active,
        kept=best.kept,
        marginal_error=alone,
        pair_error=float(off.max()),
    )


def draw_activations(copula: Copula, n_points: int, *, rng: np.random.Generator) -> Array:
    """Draw points, float64 [n_points, k].

    Parameters
    ----------
    copula
        The fitted copula.
    n_points
        How many points; draws that are no points are made up for.
    rng
        Source of the normals.

    """
    k = len(copula.thresholds)
    out = np.zeros((n_points, k))
    root, weights, rest = (
        part.T.astype(np.float32) for part in (copula.root, copula.strengths.weights, copula.strengths.root)
    )
    done = 0
    while done < n_points:
        missing = n_points - done
        n_draws = int(1.05 * missing / copula.kept) + 16
        normals = rng.standard_normal((n_draws, k), dtype=np.float32) @ root
        fires = normals > copula.thresholds.astype(np.float32)
        kept = np.flatnonzero(fires.sum(axis=1) >= copula.min_active)[:missing]
        strength = normals[kept] @ weights + rng.standard_normal((len(kept), k), dtype=np.float32) @ rest
        out[done : done + len(kept)] = np.where(fires[kept], strength, -np.inf)
        done += len(kept)
    _give_values(out, copula.positives, copula.offsets)
    return out


def reconstruction_map(decoder: npt.ArrayLike) -> Array:
    """R [k, k] or [d_model, k] with D^T = Q R: activations A R^T are the reconstruction A D in an orthonormal basis.

    Parameters
    ----------
    decoder
        The members' decoder rows D, float [k, d_model].

    """
    return np.asarray(np.linalg.qr(np.asarray(decoder, dtype=np.float64).T, mode="r"))


class _Trial(NamedTuple):
    """Rates of firing, alone (diagonal) and in pairs: those asked for, and those of the kept trial draws."""

    asked: Array
    thresholds: Array
    root: Array
    kept: float
    rates: Array

    @staticmethod
    def of(asked: Array, normals: Array, min_active: int) -> _Trial:
        alone = np.clip(np.diag(asked), LEAST_RATE, LARGEST_RATE)
        thresholds = -ndtri(alone)
        thresholds[np.diag(asked) <= 0] = np.inf
        finite = np.minimum(thresholds, 8.0)
        root = _root(solve_correlations(finite, asked))
        fires = normals @ root.T > thresholds
        fires = fires[fires.sum(axis=1) >= min_active].astype(np.float32)
        rates = (fires.T @ fires).astype(np.float64) / max(1, len(fires))
        return _Trial(asked, thresholds, root, max(len(fires) / len(normals), 1e-3), rates)


def _root(correlations: Array) -> Array:
    return np.asarray(np.linalg.cholesky(nearest_correlation(correlations)), dtype=np.float64)


def _correct(asked: Array, wanted: Array, found: Array) -> Array:
    """Ask for more where too little came, within the bounds that rates of pairs have."""
    factor = np.clip((wanted + 1e-4) / (found + 1e-4), 0.5, 2.0)
    alone = np.minimum(np.diag(asked) * np.diag(factor), LARGEST_RATE)
    lowest = np.maximum(0.0, alone[:, None] + alone - 1)
    pairs = np.clip(asked * factor, lowest, np.minimum(alone[:, None], alone))
    np.fill_diagonal(pairs, alone)
    return np.asarray(pairs)


@compiled
def _give_values(strength, positives, offsets):  # type: ignore[no-untyped-def]  # typed by numba
    """Replace each latent's strengths by its own activations of the same ranks, in place; -inf by 0.

    Ranks are by counting in narrow cells, those within a cell by row: a sort would cost more than all else.
    """
    n, k = strength.shape
    below = np.empty(N_CELLS + 1, dtype=np.int64)
    cells = np.empty(n, dtype=np.int64)
    for i in range(k):
        below[:] = 0
        active = 0
        low, high = np.inf, -np.inf
        for t in range(n):
            value = strength[t, i]
            if value > -np.inf:
                low, high = min(low, value), max(high, value)
        scale = (N_CELLS - 1) / max(high - low, 1e-12)
        for t in range(n):
            cells[t] = -1
            if strength[t, i] > -np.inf:
                cells[t] = int((strength[t, i] - low) * scale)
                below[cells[t] + 1] += 1
                active += 1
        for c in range(N_CELLS):
            below[c + 1] += below[c]
        count = offsets[i + 1] - offsets[i]
        for t in range(n):
            if cells[t] < 0:
                strength[t, i] = 0.0
            else:
                rank = below[cells[t]]
                below[cells[t]] += 1
                strength[t, i] = positives[offsets[i] + int((rank + 0.5) / active * count)]
