"""Significance of edges under the configuration model: expectation, z, one-sided tail, false discovery rate.

Given the model, n_ab is a sum of independent 0/1 variables, one a token, with q_t = p_ta p_tb (a Poisson binomial).
Tokens are not independent of one another in text, which the model does not know (docs/methods.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, ndtr

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.similarity.configuration_model import ConfigurationModel

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

ENTRIES_PER_BLOCK = 1 << 21
MAX_NEWTON_STEPS, LONGEST_STEP, PRECISION = 60, 4.0, 1e-12
NEAR_MEAN = 1e-4
LN10 = float(np.log(10.0))


class Significance(NamedTuple):
    """Per pair, float64: E[n_ab], (n_ab - E) / sd (0 where Var = 0), log10 P(n_ab' >= n_ab) (0 where Var = 0)."""

    expected: Values
    z: Values
    log10_p: Values


def edge_significance(model: ConfigurationModel, n_a: Counts, n_b: Counts, n_ab: Counts) -> Significance:
    """Compare joint firings with the null.

    E = sum_t q_t and Var = sum_t q_t (1 - q_t), over the classes of tokens; the tail by ``log_upper_tail``.

    Parameters
    ----------
    model
        Solved for the corpus; every n_a and n_b is one of its firing counts.
    n_a, n_b, n_ab
        int64 [pairs].

    """
    expected, z, log10_p = (np.zeros(len(n_ab)) for _ in range(3))
    step = max(1, ENTRIES_PER_BLOCK // max(1, len(model.tokens)))
    rows_a, rows_b = model.rows(n_a), model.rows(n_b)
    for low in range(0, len(n_ab), step):
        part = slice(low, low + step)
        q = model.probabilities[rows_a[part]] * model.probabilities[rows_b[part]]
        mean = (q * model.tokens).sum(axis=1)
        variance = (q * (1 - q) * model.tokens).sum(axis=1)
        random = variance > 0
        expected[part] = mean
        z[part][random] = (n_ab[part] - mean)[random] / np.sqrt(variance[random])
        log10_p[part][random] = log_upper_tail(q[random], model.tokens, n_ab[part][random]) / LN10
    return Significance(expected, z, log10_p)


def log_upper_tail(q: Values, tokens: Counts, observed: Counts) -> Values:
    """Upper tails of Poisson binomials, ln P(S >= observed), by saddlepoint, also far below the smallest float.

    Lugannani and Rice's formula with Daniels's first continuity correction for lattice variables (Lugannani and Rice,
    Adv. Appl. Prob. 12, 1980; Daniels, Int. Stat. Rev. 55, 1987, section 5): with K(s) = sum ln(1 - q + q e^s) and
    K'(s) = observed, P = 1 - Phi(w) + phi(w) (1/u - 1/w), w = sign(s) sqrt(2 (s observed - K(s))),
    u = (1 - e^-s) sqrt(K''(s)). Above the mean never more than Chernoff's bound exp(K(s) - s observed). Exact at 0
    (P = 1) and at the largest value possible. In tests within 0.1 of the exact log10 down to 1e-250.

    Parameters
    ----------
    q
        Probabilities, float64 [pairs, classes].
    tokens
        Variables with that probability, int64 [classes].
    observed
        int64 [pairs].

    """
    multiplicity = tokens.astype(np.float64)
    largest = ((q > 0) * multiplicity).sum(axis=1)
    logs = np.zeros(len(observed))
    impossible = observed > largest
    logs[impossible] = -np.inf
    at_end = (observed == largest) & (observed > 0)
    logs[at_end] = (np.log(np.where(q[at_end] > 0, q[at_end], 1.0)) * multiplicity).sum(axis=1)
    inner = np.flatnonzero((observed > 0) & (observed < largest))
    if inner.size:
        logs[inner] = _saddlepoint_tail(q[inner], multiplicity, observed[inner].astype(np.float64))
    return np.minimum(logs, 0.0)


def _saddlepoint_tail(q: Values, multiplicity: Values, observed: Values) -> Values:
    s, k0, k2, k3 = np.empty((4, len(observed)))
    _solve(q, multiplicity, observed, s, k0, k2, k3)
    w = np.sign(s) * np.sqrt(np.maximum(2 * (s * observed - k0), 0.0))
    u = -np.expm1(-s) * np.sqrt(k2)
    near = np.abs(w) < NEAR_MEAN
    safe_w, safe_u = np.where(near, 1.0, w), np.where(near, 1.0, u)
    # above the mean: ln phi(w) + ln(Mills ratio + 1/u - 1/w), so that nothing underflows
    above = safe_w > 0
    high = np.where(above, safe_w, 1.0)
    bracket = np.sqrt(np.pi / 2) * erfcx(high / np.sqrt(2)) + 1 / np.where(above, safe_u, 1.0) - 1 / high
    log_phi = -0.5 * safe_w**2 - 0.5 * np.log(2 * np.pi)
    # never above Chernoff's bound e^(K - s observed), which is close where K'' is small and the formula is not
    logs_above = np.minimum(log_phi + np.log(np.maximum(bracket, np.finfo(np.float64).tiny)), -0.5 * safe_w**2)
    # below the mean the tail is near 1: 1 minus what lies under it
    missing = ndtr(safe_w) - np.exp(log_phi) * (1 / safe_u - 1 / safe_w)
    logs_below = np.log1p(-np.clip(missing, 0.0, 1 - 1e-16))
    # at the mean, the limit s -> 0
    middle = 0.5 - (k3 / (6 * k2**1.5) - 1 / (2 * np.sqrt(k2))) / np.sqrt(2 * np.pi)
    logs: Values = np.where(near, np.log(np.clip(middle, 1e-16, 1.0)), np.where(above, logs_above, logs_below))
    return logs


@compiled
def _solve(q, multiplicity, observed, s, k0, k2, k3):  # type: ignore[no-untyped-def]  # typed by numba
    """The s of each pair with K'(s) = observed, by Newton steps within a bracket that every step narrows.

    Writes s, K(s), K''(s) and its third derivative, with the tilted probabilities q e^s / (1 - q + q e^s).
    """
    tiny = np.finfo(np.float64).tiny
    for pair in range(len(observed)):
        wanted, mean = observed[pair], 0.0
        for k in range(len(multiplicity)):
            mean += q[pair, k] * multiplicity[k]
        at, low, high = np.log(wanted / mean), -np.inf, np.inf
        for _ in range(MAX_NEWTON_STEPS):
            total, slope = 0.0, 0.0
            grown, shrunk = np.exp(min(at, 0.0)), np.exp(min(-at, 0.0))
            for k in range(len(multiplicity)):
                hit = q[pair, k] * grown
                tilted = hit / (hit + (1.0 - q[pair, k]) * shrunk)
                total += tilted * multiplicity[k]
                slope += tilted * (1.0 - tilted) * multiplicity[k]
            excess = total - wanted
            if abs(excess) <= PRECISION * wanted:
                break
            if excess < 0:
                low = at
            else:
                high = at
            proposal = at - min(max(excess / max(slope, tiny), -LONGEST_STEP), LONGEST_STEP)
            if (proposal <= low or proposal >= high) and np.isfinite(low) and np.isfinite(high):
                proposal = (low + high) / 2
            if proposal == at:
                break
            at = proposal
        grown, shrunk, rise = np.exp(min(at, 0.0)), np.exp(min(-at, 0.0)), np.expm1(at)
        first, second, third = 0.0, 0.0, 0.0
        for k in range(len(multiplicity)):
            hit = q[pair, k] * grown
            tilted = hit / (hit + (1.0 - q[pair, k]) * shrunk)
            spread = tilted * (1.0 - tilted) * multiplicity[k]
            first += np.log1p(q[pair, k] * rise) * multiplicity[k]
            second += spread
            third += spread * (1.0 - 2.0 * tilted)
        s[pair], k0[pair], k2[pair], k3[pair] = at, first, second, third


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
