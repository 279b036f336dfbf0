import numpy as np
import pytest
from analytic_clouds import disc, embed, helix, line, ring, simplex, wave

from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.registry import SHAPES, call_shape, measure_all

PLANTED = {
    "circle": ring,
    "helix": helix,
    "simplex_3": lambda rng, n: simplex(rng, n, 3, concentration=0.6),
    "simplex_4": lambda rng, n: simplex(rng, n, 4, concentration=0.6),
    "simplex_5": lambda rng, n: simplex(rng, n, 5, concentration=0.6),
    "simplex_6": lambda rng, n: simplex(rng, n, 6, concentration=0.5),
    "curve": wave,
}
OTHERS = {
    "line": ("curve", line),
    "arc 270": ("curve", lambda rng, n: ring(rng, n, degrees=270)),
    "arc 180": ("curve", lambda rng, n: ring(rng, n, degrees=180)),
    "disc": (None, disc),
    "plane blob": (None, lambda rng, n: rng.normal(size=(n, 2))),
    "blob": (None, lambda rng, n: rng.normal(size=(n, 5))),
}
ALL = {name: (name, make) for name, make in PLANTED.items()} | OTHERS


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [300, 2_000])
def test_of_equally_unusual_shapes_the_right_one_is_called(name, n):
    expected, make = ALL[name]
    rng = np.random.default_rng(n)
    cloud = make_cloud(embed(rng, make(rng, n), dimensions=10, noise=0.05))
    assert call_shape(np.full(len(SHAPES), 0.001), cloud) == expected


def test_only_unusual_shapes_are_called_before_others():
    rng = np.random.default_rng(0)
    cloud = make_cloud(embed(rng, simplex(rng, 1_000, 4, concentration=0.6), dimensions=10, noise=0.05))

    def called(**p):
        return call_shape(np.array([p.get(name, 1.0) for name in SHAPES]), cloud)

    # a smaller p does not go first where both are small: the order does
    assert called(simplex_4=0.04, curve=0.001) == "simplex_4"
    assert called(simplex_4=0.2, curve=0.06) == "simplex_4"
    assert called(circle=0.001) == "simplex_4"


def test_what_does_not_hold_counts_as_none():
    cloud = make_cloud(np.random.default_rng(1).normal(size=(400, 8)))
    least = [shape.least for shape in SHAPES.values()]
    assert list(measure_all(cloud)) == least
    never = {name: shape._replace(holds=lambda fit: False) for name, shape in SHAPES.items()}
    ringed = make_cloud(embed(np.random.default_rng(2), ring(np.random.default_rng(2), 400), dimensions=8))
    assert list(measure_all(ringed, shapes=never)) == least
    assert measure_all(ringed)[list(SHAPES).index("circle")] > 0.9
