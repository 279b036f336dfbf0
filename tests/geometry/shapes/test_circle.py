import numpy as np
import pytest
from analytic_clouds import axes, disc, embed, line, ring, simplex

from coactivation_manifolds.geometry.shapes.circle import circle_statistic, fit_circle, is_closed, order_round
from coactivation_manifolds.geometry.shapes.cloud import make_cloud


def fitted(points):
    return fit_circle(make_cloud(points))


@pytest.mark.parametrize("n", [100, 1_000, 20_000])
@pytest.mark.parametrize("dimensions", [2, 10, 50])
def test_noisy_circle_is_found(n, dimensions):
    rng = np.random.default_rng(n + dimensions)
    circle = fitted(embed(rng, ring(rng, n), dimensions=dimensions, noise=0.2))
    assert circle.statistic > 0.6
    assert circle.radius == pytest.approx(1, abs=0.1)
    assert np.hypot(*circle.centre) < 0.15
    assert is_closed(circle)


def test_exact_circle():
    angles = 2 * np.pi * np.arange(400) / 400
    circle = fitted(np.stack([3 * np.cos(angles) + 5, 3 * np.sin(angles)], axis=1))
    assert circle.kurtosis == pytest.approx(1, abs=1e-6)
    assert circle.inner == 0
    assert circle.radius == pytest.approx(3, abs=1e-6)
    assert circle.statistic == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "shape", [disc, lambda rng, n: rng.normal(size=(n, 3)), line, lambda rng, n: simplex(rng, n, 3)]
)
def test_filled_clouds_are_no_rings(shape):
    rng = np.random.default_rng(1)
    assert not is_closed(fitted(embed(rng, shape(rng, 1_000), dimensions=10, noise=0.1)))


def annulus(rng, n):
    return ring(rng, n) * np.sqrt(rng.uniform(0.25, 1, size=(n, 1)))


@pytest.mark.parametrize(("shape", "kurtosis", "inner"), [(disc, 4 / 3, 0.061), (annulus, 1.12, 0.0)])
def test_kurtosis_and_inner_share_of_filled_clouds(shape, kurtosis, inner):
    cloud = make_cloud(shape(np.random.default_rng(7), 100_000), trim=0)
    circle = fit_circle(cloud)
    i, j = circle.plane
    distance = np.hypot(cloud.scores[:, i] - circle.centre[0], cloud.scores[:, j] - circle.centre[1])
    assert circle.kurtosis == pytest.approx((distance**4).mean() / (distance**2).mean() ** 2, rel=1e-9)
    assert circle.kurtosis == pytest.approx(kurtosis, rel=0.02)
    assert circle.inner == pytest.approx(inner, abs=0.005)
    assert circle.statistic == pytest.approx(2 - kurtosis, abs=0.04)


def test_outliers_and_unequal_density():
    rng = np.random.default_rng(2)
    crowded = fitted(embed(rng, ring(rng, 1_000, concentration=1.0), dimensions=10, noise=0.15))
    strayed = fitted(embed(rng, ring(rng, 1_000), dimensions=10, noise=0.15, outliers=0.05))
    assert crowded.statistic > 0.6 and is_closed(crowded)
    assert strayed.statistic > 0.6 and is_closed(strayed)
    assert strayed.radius == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("outliers", [0.0, 0.05])
@pytest.mark.parametrize("degrees", [180, 270])
def test_arcs_show_their_gap(degrees, outliers):
    rng = np.random.default_rng(degrees)
    arc = ring(rng, 1_000, degrees=degrees)
    circle = fitted(embed(rng, arc, dimensions=10, noise=0.1, outliers=outliers))
    assert circle.gap == pytest.approx(360 - degrees, abs=25)
    assert not is_closed(circle)


def test_ring_beside_a_stronger_component():
    rng = np.random.default_rng(3)
    points = np.column_stack([ring(rng, 1_000), 2 * rng.normal(size=1_000)])
    circle = fitted(embed(rng, points, dimensions=12, noise=0.1))
    assert circle.plane == (1, 2)
    assert circle.statistic > 0.7


def test_mixture_of_axes_is_no_ring():
    rng = np.random.default_rng(4)
    assert not is_closed(fitted(embed(rng, axes(rng, 1_000, 5), dimensions=10, noise=0.05)))


def test_ring_with_a_latent_in_its_middle_is_none():
    rng = np.random.default_rng(8)
    points = ring(rng, 1_000) + rng.normal(scale=0.1, size=(1_000, 2))
    middle = rng.random(1_000) < 0.03
    points[middle] *= 0.1
    angles = np.arange(6) * np.pi / 3
    tiles = np.maximum(points @ np.stack([np.cos(angles), np.sin(angles)]) - 0.4, 0)
    lonely = np.where(middle, 1.0, 0.0)[:, None]
    assert is_closed(fit_circle(make_cloud(points, activations=tiles)))
    circle = fit_circle(make_cloud(points, activations=np.hstack([tiles, lonely])))
    assert circle.least_reach < 0.2 and not is_closed(circle)
    silent = np.hstack([tiles, np.zeros((1_000, 1))])
    assert is_closed(fit_circle(make_cloud(points, activations=silent)))


def test_statistic_is_the_fit_s_own_and_ignores_turns_and_size():
    rng = np.random.default_rng(5)
    points = embed(rng, ring(rng, 500), dimensions=6, noise=0.3)
    cloud = make_cloud(points)
    assert circle_statistic(cloud) == fit_circle(cloud).statistic
    turned = points @ np.linalg.qr(rng.normal(size=(6, 6)))[0] * 7 + 3
    assert circle_statistic(make_cloud(turned)) == pytest.approx(circle_statistic(cloud), rel=1e-9)


def test_latents_are_ordered_round_the_ring():
    rng = np.random.default_rng(6)
    angle = rng.uniform(0, 2 * np.pi, 2_000)
    names = rng.permutation(8)
    tiles = np.maximum(np.cos(angle[:, None] - 2 * np.pi * names / 8) - 0.5, 0)
    cloud = make_cloud(tiles)
    order, angles = order_round(fit_circle(cloud), tiles[cloud.kept])
    steps = np.diff(names[order], append=names[order[0]]) % 8
    assert set(steps) in ({1}, {7})
    assert np.abs(np.diff(np.sort(angles)) - np.pi / 4).max() < 0.3


@pytest.mark.parametrize("points", [np.ones((50, 3)), np.arange(50.0)[:, None]])
def test_degenerate_clouds(points):
    circle = fitted(points)
    assert circle.statistic == 0 and not is_closed(circle)
