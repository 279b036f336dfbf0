import numpy as np
import pytest
from analytic_clouds import disc, embed, helix, line, ring, simplex, wave

from coactivation_manifolds.geometry.shapes.cloud import make_cloud, widest_gap
from coactivation_manifolds.geometry.shapes.curve import curve_statistic, fit_curve, is_open, order_along
from coactivation_manifolds.geometry.shapes.helix import fit_helix, helix_statistic, is_wound


def scores_of(rng, points, **settings):
    return make_cloud(embed(rng, points, **{"dimensions": 10, "noise": 0.15} | settings)).scores


@pytest.mark.parametrize("dimensions", [2, 50])
@pytest.mark.parametrize("n", [100, 1_000, 20_000])
@pytest.mark.parametrize(
    "shape", [line, wave, lambda rng, n: ring(rng, n, degrees=270), lambda rng, n: ring(rng, n, degrees=180)]
)
def test_open_curves(shape, n, dimensions):
    rng = np.random.default_rng(n + dimensions)
    curve = fit_curve(scores_of(rng, shape(rng, n), dimensions=dimensions))
    assert curve.statistic > 0.9
    assert is_open(curve)


def test_clumps_are_no_curve_and_no_helix_wherever_they_lie():
    rng = np.random.default_rng(7)
    on_arc = ring(rng, 5, degrees=200)[np.arange(1_000) % 5]
    curve = fit_curve(scores_of(rng, on_arc))
    assert curve.statistic > 0.9
    assert not is_open(curve)
    wound = helix(rng, 7, turns=2.0)[np.arange(1_000) % 7]
    assert not is_wound(fit_helix(scores_of(rng, wound)))
    assert widest_gap(rng.uniform(size=500)) < 0.05
    assert widest_gap(np.repeat([0.0, 1.0, 3.0], 100)) == pytest.approx(2 / 3)
    assert widest_gap(np.zeros(9)) == 1


def test_blobs_and_triangles_explain_less():
    rng = np.random.default_rng(1)
    assert curve_statistic(scores_of(rng, rng.normal(size=(1_000, 5)))) < 0.75
    assert curve_statistic(scores_of(rng, simplex(rng, 1_000, 4), noise=0.05)) < 0.85


def test_a_ring_is_not_open():
    rng = np.random.default_rng(2)
    for n in (300, 1_000, 5_000):
        assert not is_open(fit_curve(scores_of(rng, ring(rng, n))))


def test_a_thick_line_is_open():
    """A curve up one side of the band and back on the other explains more, and is not what the band is."""
    rng = np.random.default_rng(9)
    band = np.hstack([line(rng, 800), rng.uniform(-0.5, 0.5, (800, 1))])
    curve = fit_curve(scores_of(rng, band, noise=0.1))
    assert is_open(curve)
    assert curve.opening > 8


def test_outliers_and_unequal_density_of_a_curve():
    rng = np.random.default_rng(3)
    crowded = wave(rng, 4_000)
    crowded = crowded[rng.random(len(crowded)) < np.where(crowded[:, 0] > 0, 0.5, 0.1)]
    for scores in (scores_of(rng, crowded), scores_of(rng, wave(rng, 1_000), outliers=0.05)):
        curve = fit_curve(scores)
        assert curve.statistic > 0.85 and is_open(curve)


def test_a_line_of_strength_alone_is_no_curve():
    """Latents that fire on all of it, in one proportion, against latents that each fire on a part."""
    rng = np.random.default_rng(10)
    place = rng.uniform(-1, 1, (1_000, 1))
    together = np.maximum((2 + place) * [1.0, 0.7, 1.3, 0.9] + 0.05 * rng.normal(size=(1_000, 4)), 0)
    tiles = np.maximum(0.9 - np.abs(place - np.linspace(-1, 1, 5)) / 0.7, 0)
    for activations, span, opened in ((together, 0.0, False), (tiles, 0.7, True)):
        cloud = make_cloud(activations, activations=activations)
        curve = fit_curve(cloud.scores, cloud.activations)
        assert curve.span == pytest.approx(span, abs=0.15)
        assert is_open(curve) == opened
        assert is_open(fit_curve(cloud.scores))
        rare = np.hstack([cloud.activations, np.eye(len(cloud.kept))[:, [np.argmax(curve.position)]]])
        assert fit_curve(cloud.scores, rare).span == curve.span


def test_positions_follow_the_curve_and_order_the_latents():
    rng = np.random.default_rng(4)
    angles = np.radians(rng.uniform(0, 250, 1_500))
    names = rng.permutation(6)
    tiles = np.maximum(0.9 - np.abs(angles[:, None] - np.radians(250) * (names + 0.5) / 6), 0)
    cloud = make_cloud(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    curve = fit_curve(cloud.scores)
    assert abs(np.corrcoef(curve.position, angles[cloud.kept])[0, 1]) > 0.99
    order, places = order_along(curve, tiles[cloud.kept])
    assert list(names[order]) in (list(range(6)), list(range(5, -1, -1)))
    assert (np.diff(places[order]) > 0).all()


@pytest.mark.parametrize("turns", [1.5, 2, 3, 5])
@pytest.mark.parametrize("n", [300, 1_000, 20_000])
def test_helices(n, turns):
    rng = np.random.default_rng(n)
    fit = fit_helix(scores_of(rng, helix(rng, n, turns=turns)))
    assert is_wound(fit)
    # the trim cuts the ends
    assert 0.8 * turns - 0.1 < fit.turns < 1.05 * turns + 0.1
    assert fit.radius == pytest.approx(1, abs=0.15)
    assert fit.period == pytest.approx(4 / turns, rel=0.15)


@pytest.mark.parametrize("turns", [1.5, 2])
def test_noise_along_the_axis_does_not_blur_the_windings(turns):
    rng = np.random.default_rng(10)
    points = helix(rng, 1_000, turns=turns, length=2 * turns)
    cloud = make_cloud(embed(rng, points, dimensions=10, noise=0.7))
    fit = fit_helix(cloud.scores)
    assert is_wound(fit)
    assert fit.explained > 0.85 and fit.flatness > 0.7
    assert abs(np.corrcoef(fit.position, points[cloud.kept, 0])[0, 1]) > 0.98


def test_cylinders_and_flat_windings_are_no_helix():
    rng = np.random.default_rng(11)
    for around in (disc(rng, 2_000), ring(rng, 2_000)):
        assert not is_wound(fit_helix(scores_of(rng, np.hstack([line(rng, 2_000), around]))))
    flat = helix(rng, 2_000, turns=2, length=4) * [1, 1, 0.1]
    fit = fit_helix(scores_of(rng, flat, noise=0.05))
    assert fit.flatness < 0.3
    assert not is_wound(fit)


@pytest.mark.parametrize("length", [2, 3])
def test_a_tilted_helix(length):
    """The axis of a short helix is no principal component."""
    rng = np.random.default_rng(5)
    assert is_wound(fit_helix(scores_of(rng, helix(rng, 2_000, turns=2, length=length), noise=0.05)))


@pytest.mark.parametrize(
    "shape", [line, wave, ring, lambda rng, n: rng.normal(size=(n, 4)), lambda rng, n: simplex(rng, n, 4)]
)
def test_other_shapes_are_not_wound(shape):
    rng = np.random.default_rng(6)
    assert not is_wound(fit_helix(scores_of(rng, shape(rng, 1_000))))


def test_outliers_round_a_helix():
    rng = np.random.default_rng(7)
    assert is_wound(fit_helix(scores_of(rng, helix(rng, 1_000), outliers=0.05)))


def test_statistics_are_the_fits_own():
    rng = np.random.default_rng(8)
    scores = scores_of(rng, helix(rng, 500))
    assert curve_statistic(scores) == fit_curve(scores).statistic
    assert helix_statistic(scores) == fit_helix(scores).statistic


def test_the_helix_s_statistic_is_its_share_of_what_is_left_over():
    rng = np.random.default_rng(9)
    thin, thick = (fit_helix(scores_of(rng, helix(rng, 1_000), noise=noise)) for noise in (0.05, 0.7))
    for fit in (thin, thick):
        other = max(fit.explained_by_line, fit.explained_by_circle)
        assert fit.statistic == pytest.approx((fit.explained - other) / (1 - other))
    assert thin.statistic > 0.95 > thick.statistic


@pytest.mark.parametrize("points", [np.ones((50, 3)), np.arange(50.0)[:, None], np.eye(50)[:, :2]])
def test_degenerate_clouds(points):
    scores = make_cloud(points).scores
    assert helix_statistic(scores) == 0 and not is_wound(fit_helix(scores))
    assert 0 <= fit_curve(scores).statistic <= 1
