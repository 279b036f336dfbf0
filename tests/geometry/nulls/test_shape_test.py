import numpy as np
import pytest
from analytic_clouds import embed, ring
from planted_activations import belief_triangle, gated_blob, points_of, ring_tiles, two_groups, unit_rows

from coactivation_manifolds.geometry.nulls.shape_test import measure_subject, prepare, run_first_stage
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.registry import SHAPES, Shape, call_shape, measure_all

NAMES = list(SHAPES)
FEW = (60,)


def outcome(activations, rng, *, seed=0, decoder=True, looks=FEW):
    points = points_of(activations)
    subject = prepare(points, decoder=unit_rows(rng, points.shape[1]) if decoder else None, seed=seed)
    return subject, run_first_stage(subject, looks=looks)


def called(subject, test):
    return call_shape(test.p, make_cloud(subject.activations @ subject.turn, activations=subject.activations))


@pytest.mark.parametrize("k", [5, 7, 9])
@pytest.mark.parametrize("decoder", [True, False])
def test_a_planted_ring_is_called_a_circle(k, decoder):
    rng = np.random.default_rng(k)
    subject, test = outcome(ring_tiles(rng, 600, k)[0], rng, decoder=decoder)
    assert test.p_any == test.p[NAMES.index("circle")] == 1 / 61
    assert test.excess[NAMES.index("circle")] > 3
    assert called(subject, test) == "circle"


@pytest.mark.parametrize("k", [4, 6])
def test_a_planted_triangle_is_called_a_triangle(k):
    rng = np.random.default_rng(k)
    subject, test = outcome(belief_triangle(rng, 600, k), rng)
    assert test.p_any == test.p[NAMES.index("simplex_3")] == 1 / 61
    assert called(subject, test) == "simplex_3"


def test_blobs_and_mixtures_spread_over_p():
    rng = np.random.default_rng(2)
    p_any = np.array(
        [
            outcome(make(rng, 400, int(rng.integers(4, 9))), rng, seed=seed)[1].p_any
            for seed in range(8)
            for make in (gated_blob, two_groups)
        ]
    )
    assert (p_any <= 0.05).sum() <= 3
    assert p_any.max() > 0.5


def test_same_seed_same_test_and_large_clusters_are_sampled():
    rng = np.random.default_rng(3)
    activations = gated_blob(rng, 3_000, 5)
    one, two = (outcome(activations, np.random.default_rng(4), seed=5, looks=(10,)) for _ in range(2))
    assert len(one[0].activations) == 1_000
    assert (one[1].p == two[1].p).all() and one[1].p_any == two[1].p_any
    assert (measure_subject(one[0]) == measure_subject(two[0])).all()


def test_a_shape_of_one_s_own():
    flat = Shape(lambda cloud: float(cloud.scores.shape[1] < 3), lambda cloud: cloud.scores.shape, lambda fit: True)
    cloud = make_cloud(np.random.default_rng(6).normal(size=(100, 2)))
    assert list(measure_all(cloud, shapes={"flat": flat})) == [1.0]
    assert call_shape(np.array([0.01]), cloud, shapes={"flat": flat}) == "flat"


def test_nothing_is_called_that_does_not_hold():
    arc = ring(np.random.default_rng(7), 500, degrees=200)
    cloud = make_cloud(embed(np.random.default_rng(8), arc, dimensions=6, noise=0.1))
    p = np.full(len(SHAPES), 0.5)
    p[NAMES.index("circle")], p[NAMES.index("curve")] = 0.001, 0.01
    assert call_shape(p, cloud) == "curve"
    assert call_shape(p[:1], cloud, shapes={"circle": SHAPES["circle"]}) is None


def test_every_registered_shape_measures_and_fits():
    cloud = make_cloud(np.random.default_rng(8).normal(size=(200, 6)))
    measured = measure_all(cloud)
    assert np.isfinite(measured).all()
    for value, shape in zip(measured, SHAPES.values(), strict=True):
        fit = shape.fit(cloud)
        assert isinstance(shape.holds(fit), bool | np.bool_)
        assert value == (max(shape.least, fit.statistic) if shape.holds(fit) else shape.least)
