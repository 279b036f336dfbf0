"""The null of edge significance with every token's count kept exactly, and each latent's count in expectation.

Given k_t, which latents fire on a token is conditional Bernoulli sampling (Chen, Dempster and Liu, Biometrika 81, 1994,
457): P(set) is the product of the latents' weights x over sums of such products, e_k(x), the elementary symmetric
polynomials. The configuration model lets k_t vary; on tokens on which few latents fire that makes pairs of them too
likely, by about 1 / k_t.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from threadpoolctl import threadpool_limits

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.similarity.configuration_model import FreePart, newton_step, solve_configuration_model

logger = logging.getLogger(__name__)

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

TOLERANCE = 1e-9
MAX_STEPS = 60
MAX_HALVINGS = 12
BEYOND = 64
"""How far above the largest k_t the recursion of dense latents starts; errors of the start die out on the way down."""
GRID = 512


@dataclass(frozen=True)
class FixedCounts:
    """Firing probabilities by firing count and by latents on the token.

    Tokens on which only certain latents fire (always on) are left out of the classes; k counts the others.

    Attributes
    ----------
    firings
        The distinct n_i, ascending, int64 [u].
    row
        The row of each in ``weights`` and ``inclusion``, -1 where its firings are certain, intp [u].
    weights
        x of each row, float64 [rows].
    inclusion
        P(fires | k), float64 [rows, classes]; classes k = 0, 1, ... go beyond the largest k_t, where tokens are 0.
    step
        e_(k-1) / e_k of all latents with a row, float64 [classes]; 0 at k = 0.
    spread
        Sum over the latents with a row of P (1 - P), float64 [classes].
    tokens
        Tokens on which k latents with a row fire, and not all of them, int64 [classes].
    full
        Tokens on which every latent with a row fires.
    largest_error
        Largest relative difference of a latent's count from its expectation, where the solver stopped.

    """

    firings: Counts
    row: npt.NDArray[np.intp]
    weights: Values
    inclusion: Values
    step: Values
    spread: Values
    tokens: Counts
    full: int
    largest_error: float


def solve_fixed_counts(marginals: Counts, tokens_by_k: Mapping[int, int]) -> FixedCounts:
    """Fit the weights to a corpus, from those of the configuration model.

    Parameters
    ----------
    marginals
        n_i of every latent, int64 [n_latents].
    tokens_by_k
        Histogram of k_t: k -> number of tokens.

    """
    model = solve_configuration_model(marginals, tokens_by_k)
    start = model.free
    firings, latents = np.unique(marginals[marginals > 0], return_counts=True)
    row = np.full(len(firings), -1, np.intp)
    if not (start.rows.size and start.k.size):
        nothing = np.zeros(1)
        return FixedCounts(
            firings, row, np.zeros(0), np.zeros((0, 1)), nothing, nothing, nothing.astype(np.int64), start.full, 0.0
        )
    many = latents[start.rows]
    row[start.rows] = np.arange(len(start.rows))
    with threadpool_limits(limits=1):  # the number of BLAS threads can change the last digits
        theta, inclusion, step, error = _refine(start, many, firings[start.rows] - start.full)
    if not error <= 1e-3:
        logger.warning("edge significance: the null's counts of latents are off by up to %.1e (relative)", error)
    tokens = np.zeros(inclusion.shape[1], np.int64)
    tokens[start.k] = start.tokens
    spread = many @ (inclusion * (1 - inclusion))
    return FixedCounts(firings, row, np.exp(theta), inclusion, step, spread, tokens, start.full, error)


def _refine(start: FreePart, latents: Counts, need: Counts) -> tuple[Values, Values, Values, float]:
    """Quasi-Newton steps on ln x until every latent's expectation is its count; of those tried, the best."""
    theta = start.log_weights - start.log_weights.mean()
    shifted = start.log_levels + start.log_weights.mean()
    top = min(int(latents.sum()), int(start.k.max()) + BEYOND)
    guess = _rough_steps(theta, latents, shifted, top)
    inclusion, step = _inclusion(theta, latents, guess)
    error = _margin_error(inclusion, start, need)
    for _ in range(MAX_STEPS):
        if error < TOLERANCE:
            break
        p = inclusion[:, start.k]
        direction, _ = newton_step(p, p @ start.tokens - need, np.zeros(len(start.k)), latents, start.tokens)
        for halvings in range(MAX_HALVINGS):
            proposal = theta - 0.5**halvings * direction
            new_inclusion, new_step = _inclusion(proposal, latents, guess)
            new_error = _margin_error(new_inclusion, start, need)
            if new_error < error:
                break
        else:
            break
        theta, inclusion, step, error = proposal, new_inclusion, new_step, new_error
    return theta, inclusion, step, error


def _margin_error(inclusion: Values, start: FreePart, need: Counts) -> float:
    return float(np.abs(inclusion[:, start.k] @ start.tokens / need - 1).max())


def _rough_steps(theta: Values, latents: Counts, levels: Values, top: int) -> Values:
    """About e_(k-1) / e_k for k = 1..top: the y at which k - 1/2 latents fire in expectation."""
    wanted = np.arange(1, top + 1) - 0.5
    widest = 40.0 + float(np.abs(theta).max())
    grid = np.linspace(min(levels.min(), -widest), max(levels.max(), widest), GRID)
    for _ in range(2):  # the second grid is only as wide as it must be, so fine enough to interpolate in
        firing = np.array([latents @ expit(theta + level) for level in grid])
        at = np.interp(wanted, firing, grid)
        spacing = grid[1] - grid[0]
        grid = np.linspace(at[0] - spacing, at[-1] + spacing, GRID)
    return np.concatenate([[0.0], np.exp(at)])


def _inclusion(theta: Values, latents: Counts, guess: Values) -> tuple[Values, Values]:
    """P(fires | k), float64 [rows, top + 1], and e_(k-1) / e_k, float64 [top + 1]."""
    weights = np.exp(theta)
    order = np.argsort(-theta, kind="stable")
    step = _steps(weights[order], latents[order], guess)
    inclusion = np.zeros((len(theta), len(guess)))
    top = len(guess) - 1
    last = np.ones(len(theta)) if top == latents.sum() else expit(theta + np.log(step[top]))
    _fill_inclusion(weights, step, last, inclusion)
    return inclusion, step


@compiled
def _steps(weights, latents, guess):  # type: ignore[no-untyped-def]  # typed by numba
    """e_(k-1) / e_k by multiplying the factors 1 + x z one after the other.

    Coefficients are kept in units of the product of ``guess``, so that they stay within a float's range.
    """
    top = len(guess) - 1
    coefficients = np.zeros(top + 1)
    coefficients[0] = 1.0
    done = 0
    for row in range(len(weights)):
        factor = weights[row] * guess
        for _ in range(latents[row]):
            done += 1
            for k in range(min(done, top), 0, -1):
                coefficients[k] += factor[k] * coefficients[k - 1]
    step = np.zeros(top + 1)
    for k in range(1, top + 1):
        step[k] = guess[k] * coefficients[k - 1] / coefficients[k]
    return step


@compiled
def _fill_inclusion(weights, step, last, inclusion):  # type: ignore[no-untyped-def]  # typed by numba
    """P(k) = x step(k) (1 - P(k - 1)), upwards while P <= 1/2 and downwards from the top above, where it is stable."""
    top = len(step) - 1
    for row in range(len(weights)):
        turn = 1
        while turn <= top:
            p = weights[row] * step[turn] * (1.0 - inclusion[row, turn - 1])
            if p > 0.5:
                break
            inclusion[row, turn] = p
            turn += 1
        if turn > top:
            continue
        inclusion[row, top] = last[row]
        for k in range(top, turn, -1):
            below = 1.0 - inclusion[row, k] / (weights[row] * step[k])
            inclusion[row, k - 1] = min(max(below, 0.0), 1.0)
