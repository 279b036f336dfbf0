import numpy as np
import pytest
from planted_activations import ring_tiles

from coactivation_manifolds.geometry.shapes.circle import fit_circle, is_closed
from coactivation_manifolds.geometry.shapes.cloud import FAINT, make_cloud


def faint_ring(rng, n, n_faint, k=8):
    """A tiled ring, and tokens on which one latent is barely over its threshold; which are faint."""
    tiles = ring_tiles(rng, n, k)[0]
    false = np.zeros((n_faint, k))
    false[np.arange(n_faint), rng.integers(0, k, n_faint)] = 0.3
    order = rng.permutation(n + n_faint)
    return np.vstack([tiles, false])[order], (np.arange(n + n_faint) >= n)[order]


def test_faint_points_are_left_out_and_the_rest_is_as_without_them():
    rng = np.random.default_rng(1)
    activations, faint = faint_ring(rng, 900, 100)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    length = np.linalg.norm(activations, axis=1)
    assert (length[faint] < FAINT * np.median(length)).all() and (length[~faint] >= FAINT * np.median(length)).all()
    cloud, clean = (make_cloud(rows @ turn, activations=rows) for rows in (activations, activations[~faint]))
    assert not faint[cloud.kept].any()
    assert (np.flatnonzero(~faint)[clean.kept] == cloud.kept).all()
    assert (cloud.activations == activations[cloud.kept]).all()
    for name in ("scores", "wide", "spread"):
        assert getattr(cloud, name) == pytest.approx(getattr(clean, name))


def test_points_without_activations_are_not_faint():
    points = np.vstack([np.ones((50, 2)), np.zeros((5, 2))]) + np.random.default_rng(2).normal(size=(55, 2)) / 100
    assert len(make_cloud(points, trim=0).kept) == 55
    assert len(make_cloud(points, activations=points, trim=0).kept) == 50


def test_tokens_that_hardly_fire_do_not_fill_a_ring():
    rng = np.random.default_rng(3)
    activations, _ = faint_ring(rng, 900, 100)
    assert is_closed(fit_circle(make_cloud(activations, activations=activations)))
    assert not is_closed(fit_circle(make_cloud(activations)))
