"""How strongly latents fire: together with each other's strengths, and with whether the others fire at all.

A latent's strength is a second standard normal v_a beside the one, u_a, that decides whether it fires. Two things are
taken from each pair: the mean normal score of a's strength where b fires too, which gives corr(v_a, u_b), and the
correlation of the two scores where both fire, which gives corr(v_a, v_b). What a pair cannot say, corr(v_a, u_a), is
what the others imply: v_a is regressed on the u_b of the others alone, the choice of largest entropy (Dempster 1972,
"Covariance selection", Biometrics 28). A gain that all latents of a token share is so part of the null.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from coactivation_manifolds.geometry.nulls.tetrachoric import joint_rates, nearest_correlation

Array = npt.NDArray[np.float64]

FEW = 10.0  # points where both fire, at which what a pair says counts half
LARGEST = 0.99
RIDGE = 0.02
MOST_EXPLAINED = 0.98
N_ROUNDS = 4


class PairScores(NamedTuple):
    """Normal scores of strengths by pairs, drawn to 0 by m / (m + 10) where the m points where both fire are few.

    Attributes
    ----------
    shift
        float64 [k, k]: mean score of a (row) where b (column) fires too; 0 on the diagonal.
    correlation
        float64 [k, k]: of the two scores where both fire; 1 on the diagonal.

    """

    shift: Array
    correlation: Array


class Strengths(NamedTuple):
    """v = weights u + root e with standard normal e.

    Attributes
    ----------
    weights
        float64 [k, k], 0 on the diagonal.
    root
        float64 [k, k], lower triangular.

    """

    weights: Array
    root: Array


def score_pairs(activations: Array) -> PairScores:
    """Normal scores of ranks among each latent's positive activations, pair by pair.

    Parameters
    ----------
    activations
        float64 [n, k] >= 0.

    """
    fires = activations > 0
    scores = np.zeros_like(activations)
    for latent, active in enumerate(fires.T):
        ranks = np.argsort(np.argsort(activations[active, latent], kind="stable"), kind="stable")
        scores[active, latent] = ndtri((ranks + 0.5) / max(1, len(ranks)))
    return _moments(scores, fires)


def fit_strengths(wanted: PairScores, thresholds: Array, correlations: Array) -> Strengths:
    """Strengths that depend on one another and on who fires as the pairs' scores say, or as near as that allows.

    Parameters
    ----------
    wanted
        The points' own.
    thresholds
        float64 [k]: a latent fires where u_a is larger.
    correlations
        float64 [k, k]: of u.

    """
    k = len(thresholds)
    moments = truncated_moments(thresholds, correlations)
    own = np.zeros(k)
    weights = np.zeros((k, k))
    for _ in range(N_ROUNDS):
        cross = moments.cross(wanted.shift, own)
        weights, own = _regress(cross, correlations)
    cross = weights @ correlations
    rest = moments.between(wanted.correlation, cross) - weights @ correlations @ weights.T
    scale = np.sqrt(np.maximum(1 - np.einsum("ab,ab->a", weights @ correlations, weights), 1 - MOST_EXPLAINED))
    rest = np.clip(rest / scale / scale[:, None], -LARGEST, LARGEST)
    np.fill_diagonal(rest, 1.0)
    return Strengths(weights, scale[:, None] * np.linalg.cholesky(nearest_correlation(rest)))


class TruncatedMoments(NamedTuple):
    """Moments of (u_a, u_b) where both pass their thresholds; entry [a, b] is about a, its partner's is [b, a].

    Attributes
    ----------
    correlations
        float64 [k, k], 0 on the diagonal.
    above, narrowed
        float64 [k]: E[u_a] where a fires, and 1 - Var[u_a] there.
    mean, square, product
        float64 [k, k]: E[u_a], E[u_a^2] and E[u_a u_b].

    """

    correlations: Array
    above: Array
    narrowed: Array
    mean: Array
    square: Array
    product: Array

    def cross(self, shift: Array, own: Array) -> Array:
        """corr(v_a, u_b) [k, k] at which v_a has this mean score where b fires too; own is corr(v_a, u_a)."""
        r, partner = self.correlations, self.mean.T
        spread = np.sqrt(np.maximum(1 - own**2 * self.narrowed, 0.05))
        wanted = shift * spread[:, None] + (own * self.above)[:, None]
        # v_a on (u_a, u_b) has slopes (own - r c, c - r own) / (1 - r^2)
        found = own[:, None] * (self.mean - r * partner)
        reach = np.maximum(partner - r * self.mean, 1e-3)
        return np.clip((wanted * (1 - r**2) - found) / reach, -LARGEST, LARGEST)

    def between(self, correlation: Array, cross: Array) -> Array:
        """corr(v_a, v_b) [k, k] at which scores correlate so where both fire; cross is corr(v_a, u_b)."""
        r, own = self.correlations, np.diag(cross)
        first = (own[:, None] - r * cross) / (1 - r**2)
        second = (cross - r * own[:, None]) / (1 - r**2)
        square, other = self.square - self.mean**2, self.square.T - self.mean.T**2
        product = self.product - self.mean * self.mean.T
        variance = 1 - first**2 * (1 - square) - second**2 * (1 - other) - 2 * first * second * (r - product)
        variance = np.maximum(variance, 0.05)
        # b's slope on u_a is second.T, on u_b first.T
        lost = (
            first * second.T * (1 - square)
            + second * first.T * (1 - other)
            + (first * first.T + second * second.T) * (r - product)
        )
        return np.asarray(correlation * np.sqrt(variance * variance.T) + lost)


def truncated_moments(thresholds: Array, correlations: Array) -> TruncatedMoments:
    """Moments of every two of some standard normals where both pass their thresholds.

    Rosenbaum 1961, "Moments of a truncated bivariate normal distribution", J. R. Stat. Soc. B 23.

    Parameters
    ----------
    thresholds
        float64 [k].
    correlations
        float64 [k, k].

    """
    t = np.minimum(thresholds, 8.0)
    r = np.clip(correlations, -LARGEST, LARGEST)
    np.fill_diagonal(r, 0.0)
    rate = np.maximum(joint_rates(t, r), 1e-12)
    density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
    narrow = np.sqrt(1 - r**2)
    # [a, b]: the density at a's threshold, b above its own
    edge = density[:, None] * ndtr((r * t[:, None] - t) / narrow)
    corner = narrow / (2 * np.pi) * np.exp(-(t[:, None] ** 2 - 2 * r * t[:, None] * t + t**2) / (2 * narrow**2))
    mean = (edge + r * edge.T) / rate
    square = 1 + (t[:, None] * edge + r**2 * t * edge.T + r * corner) / rate
    product = r + (r * (t[:, None] * edge + t * edge.T) + corner) / rate
    above = density / np.maximum(ndtr(-t), 1e-300)
    return TruncatedMoments(r, above, above * (above - t), mean, square, product)


def _moments(scores: Array, fires: npt.NDArray[np.bool_]) -> PairScores:
    both = fires.T.astype(np.float64) @ fires
    count = np.maximum(both, 1)
    trust = both / (both + FEW)
    # where both fire: a's scores in rows
    shift = scores.T @ fires / count
    squares = (scores**2).T @ fires / count
    variance = squares - shift**2
    covariance = scores.T @ scores / count - shift * shift.T
    correlation = covariance / np.sqrt(np.maximum(variance * variance.T, 1e-12))
    correlation = np.clip(correlation, -LARGEST, LARGEST) * trust
    shift = shift * trust
    np.fill_diagonal(correlation, 1.0)
    np.fill_diagonal(shift, 0.0)
    return PairScores(shift, correlation)


def _regress(cross: Array, correlations: Array) -> tuple[Array, Array]:
    """Weights of v_a on the others' u, and the corr(v_a, u_a) that they imply."""
    k = len(cross)
    weights = np.zeros((k, k))
    for a in range(k):
        others = np.flatnonzero(np.arange(k) != a)
        among = correlations[np.ix_(others, others)]
        slopes = np.linalg.solve(among + RIDGE * np.eye(k - 1), cross[a, others])
        explained = float(slopes @ among @ slopes)
        weights[a, others] = slopes * np.sqrt(min(1.0, MOST_EXPLAINED / max(explained, 1e-12)))
    return weights, np.einsum("ab,ab->a", weights, correlations)
