import numpy as np
import pytest
from analytic_clouds import axes, disc, ring

from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.irreducibility import (
    engels_rank,
    measure_irreducibility,
    mixture,
    published_planes,
    separability,
    separability_excess,
)

N = 10_000


def noisy(rng, points):
    return points + 0.1 * rng.normal(size=points.shape)


@pytest.mark.parametrize(
    ("make", "s", "m"),
    [
        (ring, 1.496, 0.230),
        (lambda rng, n: noisy(rng, ring(rng, n)), 0.770, 0.167),
        (lambda rng, n: rng.normal(size=(n, 2)), 0.004, 0.089),
        (axes, 1.000, 0.500),
    ],
    ids=["circle", "noisy circle", "gaussian", "two axes"],
)
def test_known_values(make, s, m):
    plane = make(np.random.default_rng(0), N)
    assert separability(plane) == pytest.approx(s, abs=0.015)
    assert mixture(plane) == pytest.approx(m, abs=0.01)


def test_excess_takes_the_bias_of_few_points():
    rng = np.random.default_rng(1)
    blob = rng.normal(size=(300, 2))
    assert separability(blob) > 0.05
    assert separability_excess(blob, rng=np.random.default_rng(2)) < 0.03
    circle = ring(rng, 300)
    assert separability_excess(circle, rng=np.random.default_rng(2)) == pytest.approx(1.3, abs=0.15)
    again = [separability_excess(circle, rng=np.random.default_rng(3)) for _ in range(2)]
    assert again[0] == again[1]


def test_mixture_does_not_depend_on_size_and_needs_an_offset():
    plane = axes(np.random.default_rng(4), 2_000)
    assert mixture(7 * plane) == mixture(plane)
    # the strip lies on an axis, away from the mean
    assert mixture(plane - plane.mean(axis=0)) == pytest.approx(0.5, abs=0.02)


def test_the_best_plane_is_the_ring_s():
    rng = np.random.default_rng(5)
    scores = make_cloud(np.column_stack([2 * rng.normal(size=2_000), ring(rng, 2_000)])).scores
    found = measure_irreducibility(scores, rng=np.random.default_rng(6))
    assert found.plane == (1, 2)
    assert found.rank_value > 0.8
    blob = measure_irreducibility(make_cloud(rng.normal(size=(2_000, 4))).scores, rng=np.random.default_rng(6))
    assert blob.rank_value < 0.05
    mixed = measure_irreducibility(make_cloud(axes(rng, 2_000)).scores, rng=np.random.default_rng(6))
    assert mixed.mixture > 0.45 and mixed.rank_value < found.rank_value


def test_published_ranking_by_hand():
    planes = {
        7: [(0.2, 1.0), (0.5, 0.4)],  # (0 + 0.8 + 0.2) / 3
        3: [(0.2, 1.0), (0.005, 9.0)],  # the second is skipped: (0 + 0.8) / 2
        5: [],
        1: [(0.1, 0.4), (0.1, 0.4)],  # (0 + 0.36 + 0.36) / 3
        0: [(0.009, 5.0)],  # 0, after 5, which came first
    }
    assert engels_rank(planes) == {3: 0, 7: 1, 1: 2, 5: 3, 0: 4}


def test_published_planes_are_neighbouring_components():
    rng = np.random.default_rng(7)
    scores = make_cloud(rng.normal(size=(500, 8))).scores
    planes = published_planes(scores)
    assert len(planes) == 4
    assert planes[1] == (mixture(scores[:, 1:3]), pytest.approx(separability(scores[:, 1:3]), abs=0.05))
    assert published_planes(scores[:, :1]) == []


def test_constant_and_tiny_planes():
    assert separability(np.ones((20, 2))) == 0
    assert measure_irreducibility(np.zeros((20, 1)), rng=np.random.default_rng(0)).rank_value == 0
    assert 0 < mixture(disc(np.random.default_rng(1), 30)) <= 1
