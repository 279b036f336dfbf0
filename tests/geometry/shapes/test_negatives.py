import numpy as np
import pytest
from planted_activations import common_gain, gated_blob, points_of, three_groups, two_groups

from coactivation_manifolds.geometry.shapes.negatives import name_negative, shared_firing


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("expected", "make"),
    [("blob", gated_blob), ("blob", common_gain), ("mixture", two_groups), ("mixture", three_groups)],
)
def test_blobs_and_mixtures_by_name(expected, make, seed):
    rng = np.random.default_rng(seed)
    assert name_negative(points_of(make(rng, 1_000, int(rng.integers(6, 12))))) == expected


def test_shared_firing_of_parts():
    apart = np.kron(np.eye(2), np.ones((50, 3)))
    apart[::7, 0] = apart[1::7, 4] = 0
    assert shared_firing(apart) == 0
    rng = np.random.default_rng(0)
    assert shared_firing(rng.random((5_000, 6)) < 0.5) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("activations", [np.ones((20, 3)), np.zeros((20, 3)), np.eye(20)[:, :1]])
def test_without_parts_a_cluster_is_a_blob(activations):
    assert name_negative(activations) == "blob"
