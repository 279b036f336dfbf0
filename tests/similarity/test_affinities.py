"""Affinities against dense formulas and check values."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from coactivation_manifolds.similarity import affinities


def one(*counts: int) -> list[np.ndarray]:
    return [np.array([count], np.int64) for count in counts]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n_tokens=st.integers(2, 60))
def test_formulas_and_symmetry(seed: int, n_tokens: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, n_tokens)) < rng.random((2, 1))
    n_a, n_b, n_ab = int(x.sum()), int(y.sum()), int((x & y).sum())
    counts = one(n_ab, n_a, n_b)
    swapped = one(n_ab, n_b, n_a)
    for function, denominator, numerator in (
        (affinities.jaccard, int((x | y).sum()), n_ab),
        (affinities.dice, n_a + n_b, 2 * n_ab),
        (affinities.overlap, min(n_a, n_b), n_ab),
    ):
        value = function(*counts)[0]
        np.testing.assert_equal(value, numerator / denominator if denominator else np.nan)
        np.testing.assert_equal(value, function(*swapped)[0])
    phi = affinities.phi(*counts, n_tokens=n_tokens)[0]
    np.testing.assert_equal(phi, affinities.phi(*swapped, n_tokens=n_tokens)[0])
    if 0 < n_a < n_tokens and 0 < n_b < n_tokens:
        assert phi == pytest.approx(pearsonr(x.astype(float), y.astype(float)).statistic, abs=1e-12)
    else:
        assert math.isnan(phi)
    lift = affinities.log_lift(*counts, n_tokens=n_tokens)[0]
    if n_ab:
        assert lift == pytest.approx(math.log(n_ab * n_tokens / (n_a * n_b)), abs=1e-12)
    else:
        assert math.isnan(lift)


def test_large_counts_are_exact() -> None:
    """Next to independence: n_ab N - n_a n_b = 1 where the products are near 1e17 and beyond 63 bits."""
    for n_tokens, n_a, n_b in ((10**9, 10**8, 999_999_999), (4 * 10**9, 2 * 10**9 + 1, 2 * 10**9 - 1)):
        n_ab = n_a * n_b // n_tokens + 1
        exact = (n_ab * n_tokens - n_a * n_b) / math.sqrt(n_a * n_b * (n_tokens - n_a) * (n_tokens - n_b))
        got = affinities.phi(*one(n_ab, n_a, n_b), n_tokens=n_tokens)[0]
        assert got == pytest.approx(exact, rel=1e-12)


def test_conditional_probabilities_both_ways() -> None:
    edges = pa.table(
        {
            "feature_a": pa.array([0, 1], pa.uint32()),
            "feature_b": pa.array([2, 3], pa.uint32()),
            "n_a": [10, 100],
            "n_b": [20, 5],
            "n_ab": [5, 5],
            "log_lift": [math.log(5 * 100 / (10 * 20)), None],
        }
    )
    table = affinities.conditional_probabilities(edges).to_pydict()
    assert table["p_b_given_a"] == [0.5, 0.05]
    assert table["p_a_given_b"] == [0.25, 1.0]
    assert table["lift_b_given_a"][0] == pytest.approx(0.5 / (20 / 100))
    assert table["lift_a_given_b"][0] == pytest.approx(0.25 / (10 / 100))
    assert table["lift_b_given_a"][1] is None
    assert table["feature_b"] == [2, 3]
