"""p-values from null draws, one for each shape and one for any, and what they can reach.

Draws are bought where they matter. Besag and Clifford (1991, Biometrika 78) stop drawing once enough draws exceed the
observed value: a cluster like its null costs a hundred draws, a find as many as its q-value asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.similarity.significance import benjamini_hochberg

Array = npt.NDArray[np.float64]

ENOUGH = 10
LOOKS = (100, 300, 1_000)
CARRY_ON = 0.02
LEAST_SPREAD = 0.01  # of a null, by which an excess is divided; statistics are between 0 and 1


class NullTest(NamedTuple):
    """Outcome of a test against null draws.

    Attributes
    ----------
    p
        float64 [s]: of each statistic.
    p_any
        Of the most unusual statistic, the choice among them paid for.
    excess
        float64 [s]: observed less the null's median, over the null's 95 % quantile less its median. Above 1 is beyond
        the null's 95 %; the effect size that shapes are compared by.
    draws
        float64 [r, s]: the statistics of the draws behind the p-values.

    """

    p: Array
    p_any: float
    excess: Array
    draws: Array

    @property
    def n_draws(self) -> int:
        """Draws behind the p-values."""
        return len(self.draws)


def p_values(observed: npt.ArrayLike, draws: npt.ArrayLike) -> Array:
    """(1 + number of draws at least as large) / (1 + number of draws), of each statistic.

    Parameters
    ----------
    observed
        float [s].
    draws
        float [r, s].

    """
    null = np.asarray(draws, dtype=np.float64)
    exceeding = (null >= np.asarray(observed, dtype=np.float64)).sum(axis=0)
    return np.asarray((1 + exceeding) / (1 + len(null)))


def min_p(observed: npt.ArrayLike, draws: npt.ArrayLike) -> float:
    """p-value of the smallest of several p-values on the same draws.

    Westfall and Young 1993, "Resampling-based multiple testing". Observed cloud and draws are pooled, each gets its
    smallest p among the pool, and the observed one is ranked. Among equals the larger excess is the more unusual, so
    that a find can reach the smallest p whatever draws are extreme in other shapes. All are treated alike, so p_any is
    exact.

    Parameters
    ----------
    observed
        float [s].
    draws
        float [r, s].

    """
    pool = np.vstack([np.asarray(observed, dtype=np.float64), draws])
    ascending = np.sort(pool, axis=0)
    at_least = [len(pool) - np.searchsorted(ascending[:, s], pool[:, s], side="left") for s in range(pool.shape[1])]
    smallest = np.min(at_least, axis=0)
    largest = _excess(pool, pool).max(axis=1)
    ahead = (smallest < smallest[0]) | ((smallest == smallest[0]) & (largest >= largest[0]))
    return float(ahead.sum() / len(pool))


def first_stage(
    observed: npt.ArrayLike,
    draw: Callable[[int], Array],
    *,
    looks: Sequence[int] = LOOKS,
    enough: int = ENOUGH,
) -> NullTest:
    """First stage: draw up to the last look, and stop at the first at which ``enough`` draws are as unusual.

    Parameters
    ----------
    observed
        float [s].
    draw
        Gives the statistics [r, s] of r new draws.
    looks
        Numbers of draws, ascending, at which to look.
    enough
        Draws as unusual as the observed cloud, after which no more are needed.

    """
    return _draw_on(np.asarray(observed, dtype=np.float64), draw, looks, enough)


def needs_more(test: NullTest, *, looks: Sequence[int] = LOOKS, carry_on: float = CARRY_ON) -> bool:
    """Whether a cluster enters the second stage: p_any at most 0.02 after all draws of the first."""
    return test.n_draws >= looks[-1] and test.p_any <= carry_on


def is_undecided(test: NullTest, *, enough: int = ENOUGH) -> bool:
    """Whether a test ended for want of draws, and not because enough of them were as unusual as the cluster."""
    return test.p_any * (1 + test.n_draws) - 1 < enough


def draws_needed(n_clusters: int, n_entered: int, *, q: float = 0.05, least: int = LOOKS[-1]) -> int:
    """Draws of the second stage, with which as many finds as entered could reach q by Benjamini-Hochberg.

    The smallest p is 1 / (1 + R), and k finds of it among m clusters have q = m / (k (1 + R)).
    """
    return max(least, int(np.ceil(n_clusters / (q * max(1, n_entered)))))


def second_stage(
    observed: npt.ArrayLike,
    draw: Callable[[int], Array],
    *,
    n_draws: int,
    block: int = 500,
    enough: int = ENOUGH,
) -> NullTest:
    """Second stage: draw anew, up to ``n_draws``, looking after each block.

    Parameters
    ----------
    observed, draw, enough
        As in ``first_stage``; ``draw`` starts from the same seed, so that the first stage's draws come again.
    n_draws
        From ``draws_needed``.
    block
        Draws between looks.

    """
    looks = [*range(max(block, LOOKS[-1]), n_draws, block), n_draws]
    return _draw_on(np.asarray(observed, dtype=np.float64), draw, looks, enough)


def q_values(p: npt.ArrayLike) -> Array:
    """Values of q by Benjamini and Hochberg over all clusters of the family, float64 as p."""
    values = np.asarray(p, dtype=np.float64)
    return np.asarray(10 ** benjamini_hochberg(np.log10(values), len(values)))


def smallest_q(n_clusters: int, n_draws: int) -> float:
    """The smallest q that a single find among so many clusters can reach with so many draws."""
    return min(1.0, n_clusters / (1 + n_draws))


def outcome_of(observed: npt.ArrayLike, draws: npt.ArrayLike) -> NullTest:
    """The outcome for draws that are there already.

    Parameters
    ----------
    observed
        float [s].
    draws
        float [r, s].

    """
    values, null = np.asarray(observed, dtype=np.float64), np.asarray(draws, dtype=np.float64)
    excess = _excess(values[None], null)[0]
    return NullTest(p_values(values, null), min_p(values, null), excess, null)


def _draw_on(observed: Array, draw: Callable[[int], Array], looks: Sequence[int], enough: int) -> NullTest:
    test = NullTest(np.ones(len(observed)), 1.0, np.zeros(len(observed)), np.empty((0, len(observed))))
    for look in looks:
        test = outcome_of(observed, np.vstack([test.draws, draw(look - test.n_draws)]))
        if not is_undecided(test, enough=enough):
            break
    return test


def _excess(values: Array, null: Array) -> Array:
    middle, high = np.quantile(null, [0.5, 0.95], axis=0)
    return np.asarray((values - middle) / np.maximum(high - middle, LEAST_SPREAD))
