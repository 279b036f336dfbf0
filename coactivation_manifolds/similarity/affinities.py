"""Affinities of pairs from integer counts: pure functions of n_ab, n_a, n_b and N (docs/methods.md, "Affinities")."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

MAX_EXACT_TOKENS = isqrt(2**63 - 1)
"""Up to here n_ab N - n_a n_b fits 63 bits."""


def jaccard(n_ab: Counts, n_a: Counts, n_b: Counts) -> Values:
    """n_ab / (n_a + n_b - n_ab): share of the tokens of either latent on which both fire (Jaccard 1901)."""
    return _divide(n_ab, n_a + n_b - n_ab)


def dice(n_ab: Counts, n_a: Counts, n_b: Counts) -> Values:
    """2 n_ab / (n_a + n_b) (Dice, Ecology 26, 1945)."""
    return _divide(2 * n_ab, n_a + n_b)


def overlap(n_ab: Counts, n_a: Counts, n_b: Counts) -> Values:
    """n_ab / min(n_a, n_b): 1 where the rarer latent fires only with the other (Szymkiewicz 1934, Simpson 1943)."""
    return _divide(n_ab, np.minimum(n_a, n_b))


def phi(n_ab: Counts, n_a: Counts, n_b: Counts, *, n_tokens: int) -> Values:
    """Pearson's correlation of the two firing patterns (Yule 1912).

    (n_ab N - n_a n_b) / sqrt(n_a n_b (N - n_a) (N - n_b)); NaN where a latent never or always fires. The numerator is
    exact.
    """
    exact: Any = np.int64 if n_tokens <= MAX_EXACT_TOKENS else object
    joint, a, b = (np.asarray(counts).astype(exact) for counts in (n_ab, n_a, n_b))
    covariance = (joint * n_tokens - a * b).astype(np.float64)
    off_a, off_b = n_tokens - np.asarray(n_a), n_tokens - np.asarray(n_b)
    return _divide(covariance, _root_product(n_a, n_b) * _root_product(off_a, off_b))


def log_lift(n_ab: Counts, n_a: Counts, n_b: Counts, *, n_tokens: int) -> Values:
    """ln(n_ab N / (n_a n_b)) = ln P(B|A) / P(B), the pointwise mutual information in nats; NaN where n_ab = 0.

    Church and Hanks, Computational Linguistics 16, 1990. It is not Dunning's log-likelihood ratio G2.
    """
    joint, a, b = (np.asarray(counts, np.float64) for counts in (n_ab, n_a, n_b))
    lift = _divide(joint * n_tokens, a * b)
    logs: Values = np.log(lift, out=np.full(lift.shape, np.nan), where=lift > 0)
    return logs


def conditional_probabilities(edges: pa.Table) -> pa.Table:
    """P(B|A), P(A|B) and their lifts of each edge.

    Parameters
    ----------
    edges
        ``similarity/edges.parquet``, or rows of it (needs feature_a, feature_b, n_a, n_b, n_ab, log_lift).

    Returns
    -------
    pa.Table
        feature_a, feature_b; ``p_b_given_a`` = n_ab / n_a; ``p_a_given_b`` = n_ab / n_b; ``lift_b_given_a`` =
        P(B|A) / P(B) and ``lift_a_given_b`` = P(A|B) / P(A), which are the same number n_ab N / (n_a n_b), null where
        log_lift is; float64, in the order of the edges.

    """
    joint = pc.cast(edges["n_ab"], pa.float64())
    lift = pc.exp(edges["log_lift"])
    return pa.table(
        {
            "feature_a": edges["feature_a"],
            "feature_b": edges["feature_b"],
            "p_b_given_a": pc.divide(joint, pc.cast(edges["n_a"], pa.float64())),
            "p_a_given_b": pc.divide(joint, pc.cast(edges["n_b"], pa.float64())),
            "lift_b_given_a": lift,
            "lift_a_given_b": lift,
        }
    )


def _root_product(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Values:
    roots: Values = np.sqrt(x.astype(np.float64) * y.astype(np.float64))
    return roots


def _divide(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Values:
    """The quotient; NaN where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    quotient: Values = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0)
    return quotient
