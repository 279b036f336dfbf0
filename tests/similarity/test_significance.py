"""The configuration model and the tails of its pair counts, against sampling and exact sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, false_discovery_control, poisson
from synthetic_shards import firing_patterns

from coactivation_manifolds.similarity.configuration_model import ConfigurationModel, solve_configuration_model
from coactivation_manifolds.similarity.significance import benjamini_hochberg, edge_significance, log_upper_tail


def model_of(fires: np.ndarray) -> ConfigurationModel:
    k, tokens = np.unique(fires.sum(axis=1), return_counts=True)
    return solve_configuration_model(
        fires.sum(axis=0).astype(np.int64), dict(zip(k.tolist(), tokens.tolist(), strict=True))
    )


def margins_error(model: ConfigurationModel, fires: np.ndarray) -> float:
    """Largest relative error of a row's and a class's expectation."""
    firings, latents = np.unique(fires.sum(axis=0)[fires.any(axis=0)], return_counts=True)
    k = np.unique(fires.sum(axis=1)[fires.any(axis=1)])
    rows = np.abs(model.probabilities @ model.tokens - firings) / firings
    columns = np.abs(latents @ model.probabilities - k) / k
    return float(max([0.0, *rows, *columns]))


@settings(deadline=None, max_examples=150)
@given(fires=firing_patterns())
def test_margins_are_kept_in_expectation(fires: np.ndarray) -> None:
    """Also with latents that always fire, full tokens, nested patterns (where the fit lies at infinity)."""
    model = model_of(fires)
    assert ((model.probabilities >= 0) & (model.probabilities <= 1)).all()
    assert margins_error(model, fires) < 1e-6


def heavy_tailed(seed: int, n_tokens: int = 600, n_latents: int = 120, scale: float = 8.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rates = np.minimum(0.9, scale / np.arange(1, n_latents + 1))
    level = rng.lognormal(0, 0.5, n_tokens)[:, None]
    return rng.random((n_tokens, n_latents)) < np.minimum(rates * level, 0.97)


def test_heavy_tailed_margins_and_dense_latents() -> None:
    fires = heavy_tailed(0)
    fires[:, 5] = True
    model = model_of(fires)
    assert margins_error(model, fires) < 1e-8
    assert model.largest_error < 1e-8
    always = model.rows(np.array([len(fires)]))[0]
    assert (model.probabilities[always] == 1).all()


def curveball(fires: np.ndarray, rng: np.random.Generator, trades: int) -> np.ndarray:
    """Strona et al. (Nature Communications 5, 2014, 4114): random matrices with exactly these margins."""
    rows = [set(np.flatnonzero(row).tolist()) for row in fires.T]
    for _ in range(trades):
        i, j = rng.choice(len(rows), 2, replace=False)
        only_i, only_j = sorted(rows[i] - rows[j]), sorted(rows[j] - rows[i])
        pool = rng.permutation(only_i + only_j).tolist()
        common = rows[i] & rows[j]
        rows[i], rows[j] = common | set(pool[: len(only_i)]), common | set(pool[len(only_i) :])
    sampled = np.zeros_like(fires)
    for latent, tokens in enumerate(rows):
        sampled[list(tokens), latent] = True
    return sampled


def test_expectation_and_variance_against_sampling() -> None:
    """Against sampling with both margins fixed: means agree; the variance is right for rare pairs and never too small.

    With latents of density d it is larger than with fixed margins, by about (1 - d_a d_b) / ((1 - d_a) (1 - d_b)).
    """
    rng = np.random.default_rng(1)
    fires = heavy_tailed(3, n_tokens=300, n_latents=80, scale=5.0)
    fires = fires[:, fires.any(axis=0)]
    model = model_of(fires)
    sampled = curveball(fires, rng, 2_000)
    total, squares = np.zeros((2, fires.shape[1], fires.shape[1]))
    n_samples = 120
    for _ in range(n_samples):
        sampled = curveball(sampled, rng, 120)
        joint = sampled.T.astype(np.int64) @ sampled.astype(np.int64)
        total += joint
        squares += joint.astype(float) ** 2
    a, b = np.triu_indices(fires.shape[1], 1)
    mean = (total / n_samples)[a, b]
    variance = (squares / n_samples)[a, b] - mean**2
    n = fires.sum(axis=0).astype(np.int64)
    zeros = np.zeros(len(a), np.int64)
    expected, z, _ = edge_significance(model, n[a], n[b], zeros)
    model_variance = (expected / z) ** 2
    density = n / len(fires)
    densest = np.maximum(density[a], density[b])
    for low, high, widest in ((0.0, 0.1, 1.4), (0.1, 0.2, 1.6), (0.4, 1.0, 10.0)):
        chosen = (densest >= low) & (densest < high)
        assert chosen.sum() > 100
        assert expected[chosen].sum() / mean[chosen].sum() == pytest.approx(1, abs=0.05)
        assert 0.95 < model_variance[chosen].sum() / variance[chosen].sum() < widest


def exact_tail(q: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """P(S >= 0), P(S >= 1), ... by convolution; every term is positive, so small tails keep their digits."""
    mass = np.array([1.0])
    for probability, count in zip(q, tokens, strict=True):
        for _ in range(count):
            mass = np.convolve(mass, [1 - probability, probability])
    return mass[::-1].cumsum()[::-1]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(1, 5), power=st.integers(1, 8))
def test_tails_against_exact_poisson_binomials(seed: int, classes: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 40, classes)
    q = rng.random(classes) ** power
    exact = exact_tail(q, tokens)
    observed = np.arange(len(exact))
    logs = log_upper_tail(np.tile(q, (len(exact), 1)), tokens, observed) / np.log(10)
    seen = exact > 1e-250
    np.testing.assert_allclose(logs[seen], np.minimum(np.log10(exact[seen]), 0), atol=0.1)
    assert (np.diff(logs) <= 1e-9).all()
    assert log_upper_tail(q[None], tokens, np.array([tokens.sum() + 1]))[0] == -np.inf


def test_tails_that_underflow() -> None:
    """A binomial far out: scipy's own log tail, and beyond what scipy can say."""
    tokens = np.array([10_000])
    q = np.full((4, 1), 0.001)
    observed = np.array([12, 60, 300, 9_000])
    logs = log_upper_tail(q, tokens, observed)
    np.testing.assert_allclose(logs[:3], binom.logsf(observed[:3] - 1, 10_000, 0.001), rtol=2e-3, atol=0.02)
    assert np.isfinite(logs[3])
    assert logs[3] < -50_000
    rare = log_upper_tail(np.full((3, 1), 1e-9), np.array([1_000_000]), np.array([1, 2, 3]))
    np.testing.assert_allclose(rare, poisson.logsf([0, 1, 2], 1e-3), atol=0.1)


def test_certain_pairs_have_no_variance() -> None:
    fires = heavy_tailed(5)
    fires[:, :2] = True
    n = fires.sum(axis=0).astype(np.int64)
    found = edge_significance(model_of(fires), n[:1], n[1:2], np.array([len(fires)]))
    assert (found.expected[0], found.z[0], found.log10_p[0]) == (len(fires), 0.0, 0.0)


def test_one_always_on_latent_tells_nothing() -> None:
    fires = heavy_tailed(5)
    fires[:, 0] = True
    n = fires.sum(axis=0).astype(np.int64)
    found = edge_significance(model_of(fires), n[[0, 0]], n[[7, 30]], n[[7, 30]])
    np.testing.assert_allclose(found.expected, n[[7, 30]], rtol=1e-8)
    assert (found.log10_p > np.log10(0.5)).all()


def test_p_values_are_calibrated_under_the_null() -> None:
    rng = np.random.default_rng(8)
    model = model_of(heavy_tailed(2))
    n = model.firings[rng.integers(0, len(model.firings), 400)]
    m = model.firings[rng.integers(0, len(model.firings), 400)]
    q = model.probabilities[model.rows(n)] * model.probabilities[model.rows(m)]
    drawn = rng.binomial(model.tokens[None, :], q).sum(axis=1)
    log10_p = edge_significance(model, n, m, drawn).log10_p
    for level in (0.05, 0.2):
        share = (log10_p <= np.log10(level)).mean()
        assert share <= level + 2 * np.sqrt(level / 400)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), kept=st.integers(0, 30), others=st.integers(0, 30))
def test_benjamini_hochberg_against_scipy(seed: int, kept: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(kept) ** 4, 2) + 1e-6
    p = np.minimum(p, 1.0)
    log10_q = benjamini_hochberg(np.log10(p), kept + others)
    if kept:
        expected = false_discovery_control(np.concatenate([p, np.ones(others)]))[:kept]
        np.testing.assert_allclose(10**log10_q, expected, rtol=1e-9)
    assert (log10_q >= np.log10(p) - 1e-12).all()


def test_benjamini_hochberg_below_the_smallest_float() -> None:
    log10_q = benjamini_hochberg(np.array([-5000.0, -0.1, -400.0]), 10**6)
    np.testing.assert_allclose(log10_q, [-4994.0, 0.0, -400 + 6 - np.log10(2)])
