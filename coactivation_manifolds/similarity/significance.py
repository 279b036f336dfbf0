"""Significance of edges: expectation, z, one-sided tail, false discovery rate.

The null keeps each token's number of latents (``fixed_counts``) and the two latents' firing counts
(``conditional_tail``). Tokens are not independent of one another in text, which it does not know (docs/methods.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, log_ndtr, ndtr

from coactivation_manifolds.similarity.conditional_tail import measure_pairs
from coactivation_manifolds.similarity.fixed_counts import FixedCounts

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

PAIRS_PER_BLOCK = 1 << 20
GROUP_WIDTH = 0.05
"""Relative width in k of the classes that the tail takes together; the variance takes each alone."""
LN10 = float(np.log(10.0))


class Significance(NamedTuple):
    """Per pair, float64: E[n_ab], (n_ab - E) / sd (0 where Var = 0), log10 P(n_ab' >= n_ab) (0 where Var = 0)."""

    expected: Values
    z: Values
    log10_p: Values


def edge_significance(model: FixedCounts, n_a: Counts, n_b: Counts, n_ab: Counts) -> Significance:
    """Compare joint firings with the null.

    Where a latent's firings are certain (it always fires), or n_a and n_b leave n_ab no choice, z = 0 and log10_p = 0.

    Parameters
    ----------
    model
        Solved for the corpus; every n_a and n_b is one of its firing counts.
    n_a, n_b, n_ab
        int64 [pairs].

    """
    expected, z, log10_p = np.minimum(n_a, n_b).astype(np.float64), np.zeros(len(n_ab)), np.zeros(len(n_ab))
    rows_a, rows_b = (model.row[np.searchsorted(model.firings, n)] for n in (n_a, n_b))
    random = np.flatnonzero((rows_a >= 0) & (rows_b >= 0))
    edges = group_classes(model.tokens)
    n_random = int(model.tokens.sum())
    for low in range(0, len(random), PAIRS_PER_BLOCK):
        pairs = random[low : low + PAIRS_PER_BLOCK]
        a, b, ab = (n[pairs] - model.full for n in (n_a, n_b, n_ab))
        smallest, largest = np.maximum(a + b - n_random, 0), np.minimum(a, b)
        found = np.zeros((len(pairs), 6))
        # the tail's own formula holds above the smallest count possible and up to the largest
        inside = np.clip(ab, np.minimum(smallest + 1, largest), largest)
        measure_pairs(
            rows_a[pairs], rows_b[pairs], a, b, inside,
            model.weights, model.inclusion, model.step, model.spread, model.tokens, edges, found,
        )  # fmt: skip
        mean, variance, w, u, other_w = found.T[:5]
        open_pairs = variance > 0
        expected[pairs] = mean + model.full
        z[pairs[open_pairs]] = (ab - mean)[open_pairs] / np.sqrt(variance[open_pairs])
        known = open_pairs & (ab > smallest) & (ab <= largest)
        tails = log_tail(w[known], u[known])
        apart = w[known] != other_w[known]
        if apart.any():
            sides = (found[known][apart, column : column + 2] for column in (2, 4))
            tails[apart] = log_ndtr(-sum(normal_deviate(*side.T) for side in sides) / 2)
        log10_p[pairs[known]] = tails / LN10
        log10_p[pairs[open_pairs & (ab > largest)]] = -np.inf
    return Significance(expected, z, log10_p)


def group_classes(tokens: Counts) -> Counts:
    """Where groups of classes begin that the tail takes together, and the end; int64 [groups + 1]."""
    seen = np.flatnonzero(tokens)
    begins: list[int] = []
    for k in seen.tolist():
        if not begins or k >= begins[-1] * (1 + GROUP_WIDTH):
            begins.append(k)
    return np.array([*begins, int(seen[-1]) + 1 if begins else 0], np.int64)


def log_tail(w: Values, u: Values) -> Values:
    """Ln of the tail 1 - Phi(w) + phi(w) (1 / u - 1 / w), also far below the smallest float.

    Lugannani and Rice (Adv. Appl. Prob. 12, 1980); w and u are not 0.
    """
    # above the mean: ln phi(w) + ln(Mills ratio + 1/u - 1/w), so that nothing underflows
    above = w > 0
    high, steep = np.where(above, w, 1.0), np.where(above, u, 1.0)
    bracket = np.sqrt(np.pi / 2) * erfcx(high / np.sqrt(2)) + 1 / steep - 1 / high
    log_phi = -0.5 * w**2 - 0.5 * np.log(2 * np.pi)
    logs_above = log_phi + np.log(np.maximum(bracket, np.finfo(np.float64).tiny))
    # below the mean the tail is near 1: 1 minus what lies under it
    low, shallow = np.where(above, -1.0, w), np.where(above, -1.0, u)
    missing = ndtr(low) - np.exp(-0.5 * low**2) / np.sqrt(2 * np.pi) * (1 / shallow - 1 / low)
    logs_below = np.log1p(-np.clip(missing, 0.0, 1 - 1e-16))
    logs: Values = np.minimum(np.where(above, logs_above, logs_below), 0.0)
    return logs


def normal_deviate(w: Values, u: Values) -> Values:
    """The normal variable of the same tail, w + ln(u / w) / w (Barndorff-Nielsen, Biometrika 73, 1986, 307).

    Smooth through the mean, where it is interpolated.
    """
    deviate: Values = w + np.log(u / w) / w
    return deviate


def benjamini_hochberg(log10_p: Values, n_tests: int) -> Values:
    """log10 of Benjamini and Hochberg's q (J. R. Stat. Soc. B 57, 1995) of some of ``n_tests`` p-values, the others 1.

    q of the r-th smallest p is the smallest p' m / r' over ranks r' >= r, at most 1. Where the p-values left out are
    smaller than 1 their true q, and that of those given, can only be smaller: an upper bound.

    Parameters
    ----------
    log10_p
        float64 [kept].
    n_tests
        m, at least the number of those kept.

    """
    order = np.argsort(log10_p, kind="stable")
    ranks = np.arange(1, len(order) + 1)
    scaled = log10_p[order] + np.log10(float(max(n_tests, 1))) - np.log10(ranks)
    smallest_after = np.minimum.accumulate(scaled[::-1])[::-1]
    log10_q: Any = np.empty(len(order))
    log10_q[order] = np.minimum(smallest_after, 0.0)
    return np.asarray(log10_q, np.float64)
