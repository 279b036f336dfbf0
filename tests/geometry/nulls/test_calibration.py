"""The null is right: p of blobs and mixtures from other generators is no smaller than it should be, and a null that
leaves out what it is to keep is caught.
"""

import numpy as np
import pytest
from planted_activations import common_gain, gated_blob, points_of, relu_cloud, ring_tiles, three_groups, two_groups

from coactivation_manifolds.geometry.nulls.copula import draw_activations, fit_copula
from coactivation_manifolds.geometry.nulls.p_values import min_p
from coactivation_manifolds.geometry.pca import one_blas_thread
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.registry import SHAPES, measure_all

NAMES = ("circle", "simplex_3", "curve")
# all values count, also those of clouds that are nothing like the shape: a broken null shows in them first
RAW = {name: SHAPES[name]._replace(holds=lambda fit: True, least=0.0) for name in NAMES}
N_CLUSTERS, N_POINTS, N_DRAWS = 16, 300, 39


def keep_all(copula):
    return copula


def forget_pairs(copula):
    return copula._replace(root=np.eye(len(copula.root)))


def forget_who_fires(copula):
    k = len(copula.root)
    return copula._replace(strengths=copula.strengths._replace(weights=np.zeros((k, k)), root=np.eye(k)))


def small_p(make, change=keep_all, shapes=RAW):
    """Number of clusters, of 16, with p <= 0.05."""
    found = 0
    with one_blas_thread():
        for seed in range(N_CLUSTERS):
            rng = np.random.default_rng([seed, 5])
            points = points_of(make(rng, 3 * N_POINTS, int(rng.integers(5, 9))))[:N_POINTS]
            copula = change(fit_copula(points, rng=rng))

            def measure(activations):
                return measure_all(make_cloud(activations), shapes=shapes)

            draws = [measure(draw_activations(copula, N_POINTS, rng=rng)) for _ in range(N_DRAWS)]
            found += min_p(measure(points), np.array(draws)) <= 0.05
    return found


@pytest.mark.parametrize("make", [gated_blob, common_gain])
def test_blobs_are_like_their_nulls(make):
    # 16 clusters: 0.8 are expected, and 4 or more come by chance in 1 of 100 runs
    assert small_p(make) <= 3


@pytest.mark.parametrize("make", [gated_blob, common_gain, relu_cloud, two_groups, three_groups])
def test_no_shape_is_found_in_blobs_and_mixtures(make):
    assert small_p(make, shapes=SHAPES) <= 3


@pytest.mark.parametrize("change", [forget_pairs, forget_who_fires])
def test_a_null_that_forgets_is_caught(change):
    assert small_p(common_gain, change) >= 8


def test_rings_are_unlike_their_nulls():
    assert small_p(lambda rng, n, k: ring_tiles(rng, n, k + 1)[0], shapes=SHAPES) >= 14
