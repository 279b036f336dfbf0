import numpy as np
import pytest
from planted_activations import common_gain, gated_blob, points_of, relu_cloud

from coactivation_manifolds.geometry.nulls.copula import draw_activations, fit_copula
from coactivation_manifolds.geometry.nulls.strengths import fit_strengths, score_pairs, truncated_moments


@pytest.mark.parametrize("correlation", [-0.7, 0.0, 0.5, 0.9])
def test_moments_of_normals_above_their_thresholds(correlation):
    thresholds = np.array([0.3, 1.0])
    matrix = np.array([[1, correlation], [correlation, 1]])
    normals = np.random.default_rng(0).normal(size=(2_000_000, 2)) @ np.linalg.cholesky(matrix).T
    above = normals[(normals > thresholds).all(axis=1)]
    moments = truncated_moments(thresholds, matrix)
    off = 6 / np.sqrt(len(above))
    assert moments.mean[[0, 1], [1, 0]] == pytest.approx(above.mean(axis=0), abs=off)
    assert moments.square[[0, 1], [1, 0]] == pytest.approx((above**2).mean(axis=0), abs=3 * off)
    assert moments.product[0, 1] == pytest.approx((above[:, 0] * above[:, 1]).mean(), abs=3 * off)


@pytest.mark.parametrize("min_active", [1, 2])
@pytest.mark.parametrize("make", [gated_blob, common_gain])
def test_strengths_depend_on_who_fires_as_the_points_do(make, min_active):
    points = points_of(make(np.random.default_rng(1), 3_000, 7), min_active=min_active)
    copula = fit_copula(points, rng=np.random.default_rng(0), min_active=min_active)
    wanted, found = score_pairs(points), score_pairs(draw_activations(copula, 20_000, rng=np.random.default_rng(2)))
    assert found.shift == pytest.approx(wanted.shift, abs=0.1)
    assert found.correlation == pytest.approx(wanted.correlation, abs=0.1)
    if make is common_gain:
        assert wanted.shift[~np.eye(7, dtype=bool)].mean() > 0.1
        assert wanted.correlation[~np.eye(7, dtype=bool)].mean() > 0.4


def test_impossible_pairs_give_the_nearest_that_is_possible():
    points = points_of(relu_cloud(np.random.default_rng(3), 500, 9))
    copula = fit_copula(points, rng=np.random.default_rng(0))
    weights, root = copula.strengths
    matrix = weights @ copula.root
    assert (np.diag(weights) == 0).all()
    assert np.diag(matrix @ matrix.T + root @ root.T) == pytest.approx(np.ones(9), abs=1e-6)


def test_few_points_say_little():
    rng = np.random.default_rng(4)
    activations = np.zeros((100, 2))
    activations[:52, 0] = rng.uniform(1, 2, 52)
    activations[50:, 1] = rng.uniform(1, 2, 50)
    scores = score_pairs(activations)
    assert abs(scores.correlation[0, 1]) <= 0.99 * 2 / 12
    strengths = fit_strengths(scores, np.zeros(2), np.eye(2))
    assert np.isfinite(strengths.weights).all() and np.isfinite(strengths.root).all()
