"""Which clusterings are tested and collected, and which stand next to one, known from the configuration."""

import pytest

from coactivation_manifolds.experiment import tested
from coactivation_manifolds.experiment.tested import found_clusterings, neighbor_names

SWEEP = ["components_j{0.10,0.20,0.30}", "leiden_cpm_phi_j0.05_r0.050_s0", "cosine_components_c0.50"]
OWN = [*(f"components_j0.{t}" for t in (10, 20, 30)), "leiden_cpm_phi_j0.05_r0.050_s0"]


@pytest.fixture
def config():
    return {
        "name": "x",
        "clustering": {"sweep": SWEEP, "headline": "components_j0.20"},
        "finds": {"with_cosine": True, "clusterings": None},
        "activations": {"decoder": "decoder.npy"},
    }


def test_clusterings_of_coactivation_and_their_cosine_counterparts(config):
    assert tested.tested_clusterings(config) == OWN
    assert found_clusterings(config) == [*OWN, *(f"cosine_matched_{name}" for name in OWN)]


@pytest.mark.parametrize(
    "change",
    [
        {"finds": {"with_cosine": False, "clusterings": None}},
        {"activations": {"decoder": None}},
        {"shift_seed": 0},
    ],
)
def test_cosine_only_where_it_is_wanted_and_known(config, change):
    assert found_clusterings(config | change) == OWN


def test_chosen_clusterings_may_be_of_cosine_but_not_in_a_control(config):
    config["finds"]["clusterings"] = ["components_j0.{10,20}", "cosine_components_c0.50"]
    named = ["components_j0.10", "components_j0.20", "cosine_components_c0.50"]
    assert found_clusterings(config) == [*named, *(f"cosine_matched_{name}" for name in named[:2])]
    assert found_clusterings(config | {"shift_seed": 1}) == named[:2]


def test_neighbors_are_of_the_sweep(config):
    assert neighbor_names("components_j0.20", config) == ["components_j0.10", "components_j0.30"]
    assert neighbor_names("cosine_matched_components_j0.10", config) == ["cosine_matched_components_j0.20"]
    assert neighbor_names("components_jauto", config) == []
