import numpy as np
import pytest
from planted_activations import belief_triangle, gated_blob, points_of, ring_tiles, two_groups, unit_rows
from scipy.stats import ks_2samp, multivariate_normal, norm

from coactivation_manifolds.geometry.nulls.copula import draw_activations, fit_copula, reconstruction_map
from coactivation_manifolds.geometry.nulls.tetrachoric import joint_rates, nearest_correlation, solve_correlations


def fitted(activations, *, min_active=1, n_draws=20_000):
    copula = fit_copula(activations, rng=np.random.default_rng(0), min_active=min_active)
    return copula, draw_activations(copula, n_draws, rng=np.random.default_rng(1))


def rates(activations):
    fires = (activations > 0).astype(float)
    return fires.T @ fires / len(fires)


@pytest.mark.parametrize("correlation", [-0.9, -0.3, 0.0, 0.4, 0.95])
def test_joint_rates_against_scipy(correlation):
    thresholds = np.array([0.3, 1.2])
    matrix = np.array([[1, correlation], [correlation, 1]])
    exact = multivariate_normal(cov=matrix).cdf(-thresholds)
    found = joint_rates(thresholds, matrix)
    assert found[0, 1] == pytest.approx(exact, abs=1e-5)
    assert np.diag(found) == pytest.approx(norm.sf(thresholds))


def test_correlations_are_found_again():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 3))
    matrix = root @ root.T + np.eye(5)
    matrix /= np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
    thresholds = rng.uniform(0, 1.5, 5)
    assert solve_correlations(thresholds, joint_rates(thresholds, matrix)) == pytest.approx(matrix, abs=1e-4)


def test_nearest_correlation():
    rng = np.random.default_rng(1)
    wild = np.clip(rng.normal(size=(8, 8)), -0.99, 0.99)
    wild = (wild + wild.T) / 2
    np.fill_diagonal(wild, 1)
    near = nearest_correlation(wild)
    assert np.diag(near) == pytest.approx(np.ones(8))
    assert np.linalg.eigvalsh(near)[0] > 0
    values, vectors = np.linalg.eigh(wild)
    clipped = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    scale = np.sqrt(np.diag(clipped))
    assert np.linalg.norm(near - wild) <= np.linalg.norm(clipped / np.outer(scale, scale) - wild) + 1e-3
    good = np.array([[1, 0.3], [0.3, 1]])
    assert (nearest_correlation(good) == good).all()


@pytest.mark.parametrize("min_active", [1, 2])
@pytest.mark.parametrize("make", [gated_blob, two_groups, belief_triangle, lambda rng, n, k: ring_tiles(rng, n, k)[0]])
def test_marginals_and_pairs_are_kept(make, min_active):
    rng = np.random.default_rng(2)
    points = points_of(make(rng, 1_500, 8), min_active=min_active)
    copula, drawn = fitted(points, min_active=min_active)
    off = np.abs(rates(drawn) - rates(points))
    # three standard errors of a share of the points, and what the fit says of itself
    assert np.diag(off).max() < 3 * np.sqrt(0.25 / len(points))
    np.fill_diagonal(off, 0)
    assert off.max() < copula.pair_error + 3 * np.sqrt(0.25 / len(points))
    assert ((drawn > 0).sum(axis=1) >= min_active).all()


def test_pairs_are_kept_closely_where_a_copula_can():
    points = points_of(gated_blob(np.random.default_rng(3), 2_000, 10))
    assert fit_copula(points, rng=np.random.default_rng(0)).pair_error < 0.01
    ring = points_of(ring_tiles(np.random.default_rng(3), 2_000, 8)[0])
    assert fit_copula(ring, rng=np.random.default_rng(0)).pair_error < 0.02


def test_positive_parts_are_the_latents_own():
    points = points_of(gated_blob(np.random.default_rng(4), 2_000, 6))
    _, drawn = fitted(points)
    for own, null in zip(points.T, drawn.T, strict=True):
        assert ks_2samp(own[own > 0], null[null > 0]).pvalue > 1e-3
        assert set(null[null > 0]) <= set(own)


def test_silent_and_ever_firing_latents():
    rng = np.random.default_rng(5)
    points = np.column_stack([gated_blob(rng, 500, 4), np.zeros(500), rng.uniform(1, 2, 500)])
    _, drawn = fitted(points, n_draws=2_000)
    assert (drawn[:, 4] == 0).all()
    assert (drawn[:, 5] > 0).mean() > 0.97


def test_same_seed_same_draws():
    points = points_of(gated_blob(np.random.default_rng(6), 300, 5))
    assert (fitted(points, n_draws=500)[1] == fitted(points, n_draws=500)[1]).all()


def test_reconstruction_map_keeps_all_distances():
    rng = np.random.default_rng(7)
    for d_model in (64, 3):
        decoder = unit_rows(rng, 6, d_model)
        points = gated_blob(rng, 20, 6)
        mapped, exact = points @ reconstruction_map(decoder).T, points @ decoder
        assert mapped @ mapped.T == pytest.approx(exact @ exact.T)
