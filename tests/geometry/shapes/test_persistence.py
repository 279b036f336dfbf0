import builtins

import numpy as np
import pytest
from analytic_clouds import disc, ring

from coactivation_manifolds.errors import ConfigError
from coactivation_manifolds.geometry.shapes.persistence import choose_landmarks, measure_persistence


def test_landmarks_are_spread_and_distinct():
    points = disc(np.random.default_rng(0), 2_000)
    chosen = choose_landmarks(points, 50)
    assert len(set(chosen)) == 50
    gaps = np.linalg.norm(points[chosen][:, None] - points[chosen][None], axis=2) + 9 * np.eye(50)
    assert gaps.min() > 0.15
    assert len(choose_landmarks(points[:7], 50)) == 7


def test_persistence_of_a_circle():
    pytest.importorskip("ripser")
    turns = 2 * np.pi * np.arange(100) / 100
    found = measure_persistence(np.stack([np.cos(turns), np.sin(turns)], axis=1))
    assert found.bars[0] == pytest.approx([0.06282, 1.7526], abs=1e-4)
    assert found.over_scale == pytest.approx(1.690, abs=1e-3)


def test_a_ring_has_one_long_loop_and_a_disc_none():
    pytest.importorskip("ripser")
    rng = np.random.default_rng(1)
    circle = measure_persistence(ring(rng, 600) + 0.1 * rng.normal(size=(600, 2)), n_landmarks=150)
    blob = measure_persistence(disc(rng, 600), n_landmarks=150)
    assert circle.ratio > 4 and circle.over_scale > 1
    assert blob.ratio < 2 and blob.over_scale < 0.4


def test_without_ripser_the_message_says_what_to_do(monkeypatch):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "ripser":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ConfigError, match="needs the package ripser"):
        measure_persistence(np.eye(3))
