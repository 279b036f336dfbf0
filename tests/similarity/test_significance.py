"""The configuration model and the tails of its pair counts, against sampling and exact sums."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, hypergeom
from synthetic_shards import firing_patterns

from coactivation_manifolds.similarity import significance
from coactivation_manifolds.similarity.configuration_model import ConfigurationModel, solve_configuration_model
from coactivation_manifolds.similarity.fixed_counts import FixedCounts, solve_fixed_counts
from coactivation_manifolds.similarity.significance import benjamini_hochberg, edge_significance, group_classes


def model_of(fires: np.ndarray) -> ConfigurationModel:
    k, tokens = np.unique(fires.sum(axis=1), return_counts=True)
    return solve_configuration_model(
        fires.sum(axis=0).astype(np.int64), dict(zip(k.tolist(), tokens.tolist(), strict=True))
    )


def fixed_counts_of(fires: np.ndarray) -> FixedCounts:
    k, tokens = np.unique(fires.sum(axis=1), return_counts=True)
    return solve_fixed_counts(fires.sum(axis=0).astype(np.int64), dict(zip(k.tolist(), tokens.tolist(), strict=True)))


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


def kinds_of(density: np.ndarray, a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    """Pairs by how dense their latents are."""
    low, high = np.minimum(density[a], density[b]), np.maximum(density[a], density[b])
    return {
        "rare, rare": high < 0.05,
        "rare, dense": (low < 0.05) & (high >= 0.2) & (high < 0.8),
        "dense, dense": (low >= 0.2) & (high < 0.8),
        "with one nearly always on": high >= 0.8,
    }


def top_k(fires_more: np.ndarray, k: int) -> np.ndarray:
    """Exactly k latents a token."""
    fires = np.zeros(fires_more.shape, bool)
    np.put_along_axis(fires, np.argsort(-fires_more, axis=1)[:, :k], True, axis=1)
    return fires


@pytest.mark.parametrize("case", ["few a token", "many a token", "TopK"])
def test_means_variances_and_p_values_against_sampling(case: str) -> None:
    """Against sampling with both margins fixed: means within 5 %, variances within 10 %, for every kind of pair."""
    rng = np.random.default_rng(1)
    if case == "TopK":
        rates = np.minimum(0.9, 2.0 / np.arange(1, 91))
        fires = top_k(np.log(rates / (1 - rates)) + rng.logistic(size=(300, 90)), 6)
    else:
        fires = heavy_tailed(3, n_tokens=300, n_latents=90, scale=2.0 if case == "few a token" else 12.0)
    fires = fires[:, fires.sum(axis=0) >= 2]
    model = fixed_counts_of(fires)
    n = fires.sum(axis=0).astype(np.int64)
    a, b = np.triu_indices(len(n), 1)
    sampled = curveball(fires, rng, 2_000)
    joints = []
    for _ in range(300):
        sampled = curveball(sampled, rng, 100)
        joints.append((sampled.T.astype(np.int64) @ sampled.astype(np.int64))[a, b])
    joint = np.array(joints)
    mean, variance = joint.mean(axis=0), joint.var(axis=0, ddof=1)
    expected, z, _ = edge_significance(model, n[a], n[b], joint[0])
    known = z != 0
    own = ((joint[0] - expected)[known] / z[known]) ** 2
    small = [(edge_significance(model, n[a], n[b], row).log10_p <= np.log10(0.05)) for row in joint[::50]]
    checked = 0
    for kind, chosen in kinds_of(n / len(fires), a, b).items():
        if chosen.sum() < 40:
            continue
        checked += 1
        assert expected[chosen].sum() / mean[chosen].sum() == pytest.approx(1, abs=0.05), kind
        assert own[chosen[known]].sum() / variance[chosen & known].sum() == pytest.approx(1, abs=0.1), kind
        assert np.mean([row[chosen].mean() for row in small]) <= 0.05 + 2 * np.sqrt(0.05 / chosen.sum()), kind
    assert checked >= 2


def exact_law(model: FixedCounts, firing: np.ndarray, pair: tuple[int, int], k_of_tokens: np.ndarray) -> np.ndarray:
    """P(n_ab | n_a, n_b) by going through every set of latents on a token, and adding token by token."""
    weights = model.weights[model.row[np.searchsorted(model.firings, firing)]]
    a, b = pair
    tables = {}
    for k in np.unique(k_of_tokens).tolist():
        table = np.zeros((2, 2))
        for chosen in itertools.combinations(range(len(firing)), k):
            table[int(a in chosen), int(b in chosen)] += np.prod(weights[list(chosen)])
        tables[k] = table / table.sum()
    size = len(k_of_tokens) + 1
    mass = np.zeros((size, size, size))
    mass[0, 0, 0] = 1.0
    for k in k_of_tokens.tolist():
        table = tables[k]
        step = table[0, 0] * mass
        step[1:] += table[1, 0] * mass[:-1]
        step[:, 1:] += table[0, 1] * mass[:, :-1]
        step[1:, 1:, 1:] += table[1, 1] * mass[:-1, :-1, :-1]
        mass = step
    law = mass[firing[a], firing[b]]
    return law / law.sum()


@pytest.mark.parametrize("seed", range(6))
def test_tails_and_variances_against_the_exact_law(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = np.array([0.15, 0.3, 0.5, 0.8, 0.2, 0.1, 0.4])
    fires = rng.random((24, 7)) < rates * rng.uniform(0.5, 1.2, 24)[:, None]
    fires = fires[:, fires.any(axis=0) & ~fires.all(axis=0)]
    fires = fires[fires.any(axis=1) & ~fires.all(axis=1)]
    model = fixed_counts_of(fires)
    n = fires.sum(axis=0).astype(np.int64)
    assert model.full == 0
    assert (model.row >= 0).all()
    for a, b in itertools.combinations(range(len(n)), 2):
        law = exact_law(model, n, (a, b), fires.sum(axis=1))
        counts = np.flatnonzero(law > 1e-12)
        if len(counts) < 2:
            continue
        same = np.ones(len(counts), np.int64)
        found = edge_significance(model, n[a] * same, n[b] * same, counts)
        exact = law[::-1].cumsum()[::-1][counts]
        np.testing.assert_allclose(found.log10_p, np.log10(np.minimum(exact, 1)), atol=0.12)
        assert (np.diff(found.log10_p) < 0).all()
        mean = law @ np.arange(len(law))
        spread = law @ (np.arange(len(law)) - mean) ** 2
        assert found.expected[0] == pytest.approx(mean, abs=0.25)
        assert ((counts[-1] - found.expected[-1]) / found.z[-1]) ** 2 == pytest.approx(spread, rel=0.25)


@settings(deadline=None, max_examples=150)
@given(fires=firing_patterns())
def test_any_pattern_has_tails(fires: np.ndarray) -> None:
    """Also where latents always fire, tokens are full, patterns are nested: p in (0, 1], z finite, margins kept."""
    model = fixed_counts_of(fires)
    n = fires.sum(axis=0).astype(np.int64)
    a, b = np.nonzero(np.triu(np.ones((len(n), len(n)), bool), 1) & (n > 0)[:, None] & (n > 0)[None, :])
    joint = (fires.T.astype(np.int64) @ fires.astype(np.int64))[a, b]
    found = edge_significance(model, n[a], n[b], joint)
    assert np.isfinite(found.z).all()
    assert np.isfinite(found.log10_p).all()
    assert (found.log10_p <= 0).all()
    assert (found.expected >= 0).all()
    assert (found.expected <= np.minimum(n[a], n[b]) + 1e-6).all()
    if model.inclusion.size:
        held = model.inclusion @ model.tokens + model.full
        np.testing.assert_allclose(held, model.firings[model.row >= 0], rtol=1e-3)


def test_tails_that_underflow() -> None:
    """Far out, one class of many latents: nearly the hypergeometric law, also where its tail is no float."""
    n_tokens, k = 20_000, 1_000
    model = solve_fixed_counts(np.full(4_000, 5_000, np.int64), {k: n_tokens})
    n = np.full(4, 5_000, np.int64)
    log10_p = edge_significance(model, n, n, np.array([1_300, 1_400, 1_600, 5_000])).log10_p
    exact = hypergeom.logsf([1_299, 1_399, 1_599, 4_999], n_tokens, 5_000, 5_000) / np.log(10)
    exact[3] = hypergeom.logpmf(5_000, n_tokens, 5_000, 5_000) / np.log(10)
    assert exact[3] < -4_000
    np.testing.assert_allclose(log10_p, exact, rtol=0.03)


def test_certain_pairs_have_no_variance() -> None:
    fires = heavy_tailed(5)
    fires[:, :2] = True
    n = fires.sum(axis=0).astype(np.int64)
    found = edge_significance(fixed_counts_of(fires), n[:1], n[1:2], np.array([len(fires)]))
    assert (found.expected[0], found.z[0], found.log10_p[0]) == (len(fires), 0.0, 0.0)


def test_one_always_on_latent_tells_nothing() -> None:
    fires = heavy_tailed(5)
    fires[:, 0] = True
    n = fires.sum(axis=0).astype(np.int64)
    found = edge_significance(fixed_counts_of(fires), n[[0, 0]], n[[7, 30]], n[[7, 30]])
    np.testing.assert_allclose(found.expected, n[[7, 30]], rtol=1e-8)
    assert (found.z == 0).all()
    assert (found.log10_p == 0).all()


def test_classes_taken_together_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    fires = heavy_tailed(7, n_tokens=2_000, n_latents=200, scale=25.0)
    model = fixed_counts_of(fires)
    n = fires.sum(axis=0).astype(np.int64)
    a, b = np.triu_indices(len(n), 1)
    joint = (fires.T.astype(np.int64) @ fires.astype(np.int64))[a, b]
    together = edge_significance(model, n[a], n[b], joint).log10_p
    monkeypatch.setattr(significance, "GROUP_WIDTH", 0.0)
    apart = edge_significance(model, n[a], n[b], joint).log10_p
    np.testing.assert_allclose(together, apart, rtol=0.01, atol=0.005)


def test_classes_are_grouped_by_their_relative_width() -> None:
    tokens = np.zeros(101, np.int64)
    tokens[[1, 2, 3, 60, 61, 62, 64, 100]] = 5
    assert group_classes(tokens).tolist() == [1, 2, 3, 60, 64, 100, 101]


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
