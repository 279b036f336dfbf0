"""The null of edge significance: random firing patterns that keep each latent's and each token's count in expectation.

The bipartite configuration model (Saracco et al., Scientific Reports 5, 2015, 10595; the exponential random graph of
given degrees, Park and Newman, Phys. Rev. E 70, 2004, 066117): latent i fires on token t with
p_ti = x_i y_t / (1 + x_i y_t), independently. Latents of the same n_i share x_i, tokens of the same k_t share y_t, so
the model is solved over the distinct values of n_i and the histogram of k_t alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from threadpoolctl import threadpool_limits

logger = logging.getLogger(__name__)

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

TOLERANCE = 1e-9
MAX_STEPS = 100
MAX_HALVINGS = 30
DAMPING = 1e-12
TINY = 1e-300


@dataclass(frozen=True)
class FreePart:
    """What is random: the latents and tokens left when all that is certain is set apart.

    Attributes
    ----------
    rows
        Which of the distinct n_i, intp [rows].
    log_weights, log_levels
        ln x of the rows, ln y of the classes.
    k, tokens
        Of each class: how many of these latents fire, and the number of tokens, int64 [classes].
    full
        Number of tokens set apart because all of these latents fire.

    """

    rows: npt.NDArray[np.intp]
    log_weights: Values
    log_levels: Values
    k: Counts
    tokens: Counts
    full: int


@dataclass(frozen=True)
class ConfigurationModel:
    """Firing probabilities by firing count and by latents on the token.

    Attributes
    ----------
    firings
        The distinct n_i, ascending, int64 [u].
    probabilities
        p of a latent with ``firings[i]`` on a token of class k, float64 [u, classes].
    tokens
        Number of tokens of each class (k_t = 0 left out), int64 [classes].
    free
        The part that is random.
    largest_error
        Largest relative difference of a margin from its expectation, where the solver stopped.

    """

    firings: Counts
    probabilities: Values
    tokens: Counts
    free: FreePart
    largest_error: float

    def rows(self, n: Counts) -> npt.NDArray[np.intp]:
        """The rows of ``probabilities`` of latents with these firing counts."""
        return np.searchsorted(self.firings, n)


def solve_configuration_model(marginals: Counts, tokens_by_k: Mapping[int, int]) -> ConfigurationModel:
    """Fit the model to a corpus.

    Latents that always fire and tokens on which all others fire are set apart first (p = 1), again and again, since no
    finite x fits them. The rest is the minimum of a convex function (the negative log-likelihood in ln x, ln y), found
    by Newton steps with halving, each solved for ln y first (Schur complement over the classes of k).

    Parameters
    ----------
    marginals
        n_i of every latent, int64 [n_latents].
    tokens_by_k
        Histogram of k_t: k -> number of tokens.

    """
    firings, latents = np.unique(marginals[marginals > 0], return_counts=True)
    k = np.array(sorted(key for key in tokens_by_k if key > 0), np.int64)
    tokens = np.array([tokens_by_k[int(key)] for key in k], np.int64)
    probabilities = np.zeros((len(firings), len(k)))
    free_n, free_k, need_n, need_k, full_tokens = _set_apart(firings, latents, k, tokens, probabilities)
    error, theta, eta = 0.0, np.zeros(0), np.zeros(0)
    if free_n.size and free_k.size:
        with threadpool_limits(limits=1):  # the number of BLAS threads can change the last digits
            theta, eta, error = _newton(need_n, latents[free_n], need_k, tokens[free_k])
        probabilities[np.ix_(free_n, free_k)] = expit(theta[:, None] + eta[None, :])
    if error > 1e-3:
        logger.warning("edge significance: the null's margins are off by up to %.1e (relative)", error)
    free = FreePart(free_n, theta, eta, need_k, tokens[free_k], full_tokens)
    return ConfigurationModel(firings, probabilities, tokens, free, error)


def _set_apart(
    firings: Counts, latents: Counts, k: Counts, tokens: Counts, probabilities: Values
) -> tuple[Counts, Counts, Counts, Counts, int]:
    """Fill what is certain (p = 0 or 1); return the other rows and columns, what these have left, the full tokens."""
    need_n, need_k = firings.copy(), k.copy()
    free_n, free_k = np.arange(len(firings)), np.arange(len(k))
    full_tokens = 0
    while free_n.size and free_k.size:
        always, never = need_n[free_n] >= tokens[free_k].sum(), need_n[free_n] <= 0
        if always.any() or never.any():
            probabilities[np.ix_(free_n[always], free_k)] = 1.0
            need_k[free_k] -= latents[free_n[always]].sum()
            free_n = free_n[~(always | never)]
            continue
        full, empty = need_k[free_k] >= latents[free_n].sum(), need_k[free_k] <= 0
        if not (full.any() or empty.any()):
            break
        probabilities[np.ix_(free_n, free_k[full])] = 1.0
        full_tokens += int(tokens[free_k[full]].sum())
        need_n[free_n] -= tokens[free_k[full]].sum()
        free_k = free_k[~(full | empty)]
    return free_n, free_k, need_n[free_n], need_k[free_k], full_tokens


def _newton(n: Counts, latents: Counts, k: Counts, tokens: Counts) -> tuple[Values, Values, float]:
    """Minimise the sum over latents and tokens of ln(1 + e^(theta + eta)), less n theta and k eta of each.

    Returns theta = ln x [rows], eta = ln y [classes] and the largest relative error of a margin.
    """
    entries = float((n * latents).sum())
    theta, eta = np.log(n / np.sqrt(entries)), np.log(k / np.sqrt(entries))

    def objective(theta: Values, eta: Values) -> float:
        softplus = np.logaddexp(0.0, theta[:, None] + eta[None, :])
        return float(latents @ softplus @ tokens - (latents * n) @ theta - (tokens * k) @ eta)

    value = objective(theta, eta)
    error = np.inf
    for _ in range(MAX_STEPS):
        p = expit(theta[:, None] + eta[None, :])
        row_error, column_error = p @ tokens - n, latents @ p - k
        error = max(float(np.abs(row_error / n).max()), float(np.abs(column_error / k).max()))
        if error < TOLERANCE:
            break
        step_theta, step_eta = newton_step(p, row_error, column_error, latents, tokens)
        for halvings in range(MAX_HALVINGS):
            size = 0.5**halvings
            proposal = theta - size * step_theta, eta - size * step_eta
            new_value = objective(*proposal)
            if new_value <= value + 1e-13 * abs(value):
                break
        else:
            break
        theta, eta = proposal
        value = new_value
    return theta, eta, error


def newton_step(
    p: Values, row_error: Values, column_error: Values, latents: Counts, tokens: Counts
) -> tuple[Values, Values]:
    """Solve Hessian step = gradient, rows eliminated."""
    curvature = p * (1 - p) * latents[:, None] * tokens[None, :]
    rows = np.maximum(curvature.sum(axis=1), TINY)
    columns = curvature.sum(axis=0)
    schur = np.diag(columns) - curvature.T @ (curvature / rows[:, None])
    gradient_rows, gradient_columns = latents * row_error, tokens * column_error
    # (theta + c, eta - c) is the same model, so the matrix has the null vector of ones: the added constant fixes c;
    # the added diagonal keeps directions solvable along which a probability goes to 0 or 1
    scale = columns.sum() / len(columns)
    schur += scale / len(columns) + np.diag(DAMPING * columns + TINY)
    step_eta = np.linalg.solve(schur, gradient_columns - curvature.T @ (gradient_rows / rows))
    return (gradient_rows - curvature @ step_eta) / rows, step_eta
