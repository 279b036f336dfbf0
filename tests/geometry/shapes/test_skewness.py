import numpy as np
import pytest
from analytic_clouds import disc, ring, simplex

from coactivation_manifolds.geometry.shapes.skewness import multivariate_skewness


def by_pairs(points):
    """Mardia's definition, over all pairs of points."""
    offset = points - points.mean(axis=0)
    inverse = np.linalg.inv(offset.T @ offset / len(offset))
    return ((offset @ inverse @ offset.T) ** 3).mean()


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_against_the_definition(d):
    rng = np.random.default_rng(d)
    points = rng.gamma(1.0, 1.0, (200, d)) @ rng.normal(size=(d, d)) + 3
    assert multivariate_skewness(points) == pytest.approx(by_pairs(points), rel=1e-9)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_masses_at_the_vertices(d):
    corners = np.linalg.svd(np.eye(d + 1) - 1 / (d + 1))[0][:, :d]
    assert multivariate_skewness(np.repeat(corners, 20, axis=0)) == pytest.approx(d * (d - 1), rel=1e-9)


def test_linear_maps_change_nothing_and_symmetric_clouds_have_none():
    rng = np.random.default_rng(0)
    triangle = simplex(rng, 2_000, 3)[:, :2]
    assert multivariate_skewness(triangle @ [[3, 1], [0, 0.2]]) == pytest.approx(multivariate_skewness(triangle))
    assert multivariate_skewness(triangle) > 0.5
    for points in (ring(rng, 2_000), disc(rng, 2_000)):
        assert multivariate_skewness(points) < 0.02
        assert multivariate_skewness(np.concatenate([points, -points])) == pytest.approx(0, abs=1e-20)


def test_flat_clouds_have_none():
    points = np.random.default_rng(1).normal(size=(50, 2))
    assert multivariate_skewness(points @ np.ones((2, 3))) == 0
    assert multivariate_skewness(np.ones((50, 2))) == 0
    assert multivariate_skewness(points[:2]) == 0
