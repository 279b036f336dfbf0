import numpy as np
import pytest
from analytic_clouds import disc, embed, ring, simplex
from scipy.spatial import ConvexHull

from coactivation_manifolds.geometry.shapes import enclosing_simplex as es
from coactivation_manifolds.geometry.shapes.archetypes import archetype_share
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.simplex import (
    fit_simplex,
    is_filled,
    simplex_statistic,
    vertex_points,
)

UNIFORM = 0.605


def least_triangle(points):
    """Area of the least enclosing triangle by brute force: one side lies on an edge of the hull (Klee and Laskowski
    1985, J. Algorithms 6), the other two are tried in all directions of a grid of half a degree.
    """
    hull = points[ConvexHull(points).vertices]
    steps = np.roll(hull, -1, axis=0) - hull
    tilt = np.radians(np.arange(-89.75, 90, 0.5))
    normals = np.stack([np.cos(tilt), np.sin(tilt)], axis=1)
    least = np.inf
    for corner, step in zip(hull, steps / np.linalg.norm(steps, axis=1, keepdims=True), strict=True):
        # the edge on the x axis, the hull above it
        upright = (hull - corner) @ np.array([step, [-step[1], step[0]]]).T
        right = (upright @ normals.T).max(axis=0) / np.cos(tilt)
        left = -(upright @ (normals * [-1, 1]).T).max(axis=0) / np.cos(tilt)
        base = right[:, None] - left[None]
        narrowing = np.tan(tilt)[:, None] + np.tan(tilt)[None]
        area = np.where(narrowing > 1e-9, base**2 / (2 * np.maximum(narrowing, 1e-9)), np.inf)
        least = min(least, area.min())
    return least


@pytest.mark.parametrize("seed", range(6))
def test_enclosing_triangle_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    shapes = [disc(rng, 300), rng.normal(size=(300, 2)), simplex(rng, 300, 3), rng.random((300, 2)), rng.random((5, 2))]
    for points in shapes:
        extremes = points[es.extreme_points(points)]
        vertices = es.enclose(extremes)
        assert es._barycentric(extremes, vertices).min() > -1e-6
        assert es.simplex_volume(vertices) <= 1.03 * least_triangle(extremes)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_enclosing_simplex_holds_the_points_and_finds_a_planted_one(d):
    rng = np.random.default_rng(d)
    blob = rng.normal(size=(800, d))
    blob = blob[es.extreme_points(blob)]
    assert es._barycentric(blob, es.enclose(blob)).min() > -1e-6
    planted = simplex(rng, 2_000, d + 1, concentration=0.7)
    exact = np.sqrt(d + 1) / np.prod(np.arange(1, d + 1))
    around = es.simplex_volume(es.enclose(planted[es.extreme_points(planted)]))
    assert around == pytest.approx(exact, rel=0.2)


@pytest.mark.parametrize("d", [2, 3, 4, 5])
def test_hull_volume(d):
    rng = np.random.default_rng(d)
    corners = np.concatenate([np.zeros((1, d)), np.eye(d)])
    points = np.concatenate([corners, rng.dirichlet(np.ones(d + 1), 500)[:, :d]])
    assert es.hull_volume(points[es.extreme_points(points)]) == pytest.approx(es.simplex_volume(corners), rel=1e-6)
    ball = rng.normal(size=(2_000, d))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    ratio = es.hull_volume(ball[es.extreme_points(ball)]) / ConvexHull(ball).volume
    assert {2: 0.97, 3: 0.7, 4: 0.4, 5: 0.2}[d] < ratio <= 1


def test_uniform_disc_and_triangle():
    rng = np.random.default_rng(0)
    filled = []
    for points in (disc(rng, 20_000), simplex(rng, 20_000, 3)):
        extremes = points[es.extreme_points(points)]
        filled.append(es.hull_volume(extremes) / es.simplex_volume(es.enclose(extremes)))
    assert filled[0] == pytest.approx(UNIFORM, abs=0.01)
    assert filled[1] > 0.93


@pytest.mark.parametrize("dimensions", [10, 50])
@pytest.mark.parametrize("n", [300, 1_000, 20_000])
@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_simplices_against_blobs(k, n, dimensions):
    rng = np.random.default_rng(100 * k + dimensions)
    full = make_cloud(embed(rng, simplex(rng, n, k, concentration=0.5), dimensions=dimensions, noise=0.05))
    blob = make_cloud(embed(rng, rng.normal(size=(n, k - 1)), dimensions=dimensions, noise=0.05))
    found = fit_simplex(full, k)
    assert is_filled(found)
    assert not is_filled(fit_simplex(blob, k))
    assert found.statistic == simplex_statistic(full, k)
    assert found.weights.sum(axis=1) == pytest.approx(np.ones(len(full.scores)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dimensions", [2, 3, 50])
def test_triangles_of_few_points(dimensions, seed):
    rng = np.random.default_rng([dimensions, seed])
    full = make_cloud(embed(rng, simplex(rng, 100, 3, concentration=0.8), dimensions=dimensions, noise=0.05))
    assert is_filled(fit_simplex(full, 3))


@pytest.mark.parametrize("k", [4, 5])
def test_a_corner_of_the_axes_is_no_simplex(k):
    """Latents that fire one or two at a time fill the corner between the origin and their axes."""
    rng = np.random.default_rng(k)
    apart = rng.gamma(3, 1, size=(800, k - 1)) * (rng.random((800, k - 1)).argsort(axis=1) < 2)
    assert not is_filled(fit_simplex(make_cloud(apart), k))


@pytest.mark.parametrize("degrees", [180, 270])
def test_an_arc_is_no_triangle(degrees):
    rng = np.random.default_rng(degrees)
    cloud = make_cloud(embed(rng, ring(rng, 1_000, degrees=degrees), dimensions=10, noise=0.1))
    assert not is_filled(fit_simplex(cloud, 3))


def test_vertices_lie_at_the_corners():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet([0.6, 0.6, 0.6], 2_000)
    corners = np.linalg.qr(rng.normal(size=(8, 3)))[0].T
    cloud = make_cloud(weights @ corners)
    nearest = vertex_points(fit_simplex(cloud, 3), 20)
    kept = weights[cloud.kept]
    assert sorted(kept[rows].mean(axis=0).argmax() for rows in nearest) == [0, 1, 2]
    assert all(kept[rows].mean(axis=0).max() > 0.8 for rows in nearest)


@pytest.mark.parametrize("shape", [ring, disc])
def test_a_ring_and_a_disc_are_no_triangles(shape):
    rng = np.random.default_rng(2)
    cloud = make_cloud(embed(rng, shape(rng, 1_000), dimensions=10, noise=0.05))
    assert not is_filled(fit_simplex(cloud, 3))
    assert fit_simplex(cloud, 3).filled == pytest.approx(UNIFORM, abs=0.06)
    assert simplex_statistic(cloud, 3) < 0.03


def test_outliers_and_unequal_density():
    rng = np.random.default_rng(3)
    crowded = embed(rng, simplex(rng, 1_000, 3, concentration=[1.5, 0.5, 0.3]), dimensions=10, noise=0.03)
    strayed = embed(rng, simplex(rng, 1_000, 3, concentration=0.6), dimensions=10, noise=0.03, outliers=0.05)
    assert is_filled(fit_simplex(make_cloud(crowded), 3))
    assert is_filled(fit_simplex(make_cloud(strayed), 3))


def test_too_few_dimensions():
    cloud = make_cloud(np.random.default_rng(4).normal(size=(100, 2)))
    assert simplex_statistic(cloud, 4) == 0
    assert not is_filled(fit_simplex(cloud, 4))
    assert fit_simplex(make_cloud(np.ones((40, 4))), 3).statistic == 0


def test_archetypes_of_a_triangle_a_disc_and_a_blob():
    rng = np.random.default_rng(5)
    shares = [
        archetype_share(make_cloud(points, trim=0.0).scores, 3)
        for points in (simplex(rng, 600, 3), disc(rng, 600), rng.normal(size=(600, 2)))
    ]
    assert shares[0] > 0.985
    assert shares[1] == pytest.approx(0.930, abs=0.03)
    assert shares[2] == pytest.approx(0.966, abs=0.03)
