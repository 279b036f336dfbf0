import numpy as np
import pytest
from analytic_clouds import axes, disc, embed, line, ring, simplex

from coactivation_manifolds.geometry.shapes.circle import circle_statistic, fit_circle, is_closed, order_round
from coactivation_manifolds.geometry.shapes.cloud import make_cloud


def fitted(points):
    return fit_circle(make_cloud(points).scores)


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
    assert circle.hole == pytest.approx(1, abs=1e-6)
    assert circle.radius == pytest.approx(3, abs=1e-6)
    assert circle.radius_cv == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "shape", [disc, lambda rng, n: rng.normal(size=(n, 3)), line, lambda rng, n: simplex(rng, n, 3)]
)
def test_filled_clouds_are_no_rings(shape):
    rng = np.random.default_rng(1)
    assert fitted(embed(rng, shape(rng, 1_000), dimensions=10, noise=0.1)).statistic < 0.45


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
    assert fitted(embed(rng, axes(rng, 1_000, 5), dimensions=10, noise=0.05)).statistic < 0.5


def test_statistic_is_the_fit_s_own_and_ignores_turns_and_size():
    rng = np.random.default_rng(5)
    points = embed(rng, ring(rng, 500), dimensions=6, noise=0.3)
    scores = make_cloud(points).scores
    assert circle_statistic(scores) == fit_circle(scores).statistic
    turned = points @ np.linalg.qr(rng.normal(size=(6, 6)))[0] * 7 + 3
    assert circle_statistic(make_cloud(turned).scores) == pytest.approx(circle_statistic(scores), rel=1e-9)


def test_latents_are_ordered_round_the_ring():
    rng = np.random.default_rng(6)
    angle = rng.uniform(0, 2 * np.pi, 2_000)
    names = rng.permutation(8)
    tiles = np.maximum(np.cos(angle[:, None] - 2 * np.pi * names / 8) - 0.5, 0)
    cloud = make_cloud(tiles)
    order, angles = order_round(fit_circle(cloud.scores), tiles[cloud.kept])
    steps = np.diff(names[order], append=names[order[0]]) % 8
    assert set(steps) in ({1}, {7})
    assert np.abs(np.diff(np.sort(angles)) - np.pi / 4).max() < 0.3


@pytest.mark.parametrize("points", [np.ones((50, 3)), np.arange(50.0)[:, None]])
def test_degenerate_clouds(points):
    circle = fitted(points)
    assert circle.statistic == 0 and not is_closed(circle)
