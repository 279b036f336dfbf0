"""Principal components from k x k moments against the direct SVD of A and of A D."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.geometry.pca import (
    Moments,
    axes_reconstruction,
    axes_restricted,
    gather_moments,
    pca_reconstruction,
    pca_restricted,
)


def direct(points, n_components=5):
    """Singular values and right vectors of the centred points."""
    centred = points - points.mean(axis=0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    return singular[:n_components], vectors[:n_components], centred


def sparse(rng, n, k):
    return np.maximum(rng.normal(size=(n, k)) * np.linspace(3, 1, k) - 0.3, 0)


@pytest.mark.parametrize("n, k, d", [(400, 2, 16), (500, 7, 64), (300, 12, 8), (900, 40, 256), (60, 5, 3), (50, 1, 4)])
def test_reconstruction_equals_the_svd_of_a_d(n, k, d):
    rng = np.random.default_rng(n + k)
    activations, decoder = sparse(rng, n, k), rng.normal(size=(k, d))
    pca = pca_reconstruction(activations, decoder)
    singular, vectors, centred = direct(activations @ decoder)
    p = min(5, k, d)
    assert pca.n_components == p
    np.testing.assert_allclose(np.sqrt(pca.eigenvalues * (n - 1)), singular[:p], rtol=1e-12)
    np.testing.assert_allclose(pca.evr, singular[:p] ** 2 / (centred**2).sum(), rtol=1e-12)
    signs = np.sign((vectors[:p] * pca.loadings).sum(axis=1))
    np.testing.assert_allclose(pca.loadings, vectors[:p] * signs[:, None], atol=1e-10)
    np.testing.assert_allclose(pca.scores, centred @ vectors[:p].T * signs, atol=1e-9)
    np.testing.assert_allclose(pca.mean, (activations @ decoder).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(pca.latent_weights, pca.loadings @ decoder.T, atol=1e-11)
    np.testing.assert_allclose(pca.loadings @ pca.loadings.T, np.eye(p), atol=1e-12)


def test_restricted_equals_the_svd_of_a():
    rng = np.random.default_rng(1)
    activations = sparse(rng, 500, 9)
    pca = pca_restricted(activations)
    singular, vectors, centred = direct(activations)
    np.testing.assert_allclose(np.sqrt(pca.eigenvalues * 499), singular, rtol=1e-12)
    signs = np.sign((vectors * pca.loadings).sum(axis=1))
    np.testing.assert_allclose(pca.scores, centred @ vectors.T * signs, atol=1e-10)
    np.testing.assert_array_equal(pca.loadings, pca.latent_weights)


def test_orthonormal_decoder_makes_both_bases_the_same():
    rng = np.random.default_rng(2)
    activations = sparse(rng, 300, 6)
    orthonormal = np.linalg.qr(rng.normal(size=(20, 6)))[0].T
    np.testing.assert_allclose(
        pca_reconstruction(activations, orthonormal).scores, pca_restricted(activations).scores, atol=1e-10
    )


def test_sign_does_not_depend_on_the_data_being_mirrored():
    rng = np.random.default_rng(3)
    activations, decoder = sparse(rng, 300, 6), rng.normal(size=(6, 24))
    pca = pca_reconstruction(activations, decoder)
    leading = np.abs(pca.latent_weights).argmax(axis=1)
    assert (pca.latent_weights[np.arange(5), leading] > 0).all()
    np.testing.assert_allclose(pca_reconstruction(activations, -decoder).scores, pca.scores, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 199), max_size=6, unique=True))
def test_blocks_change_nothing(seed, cuts):
    rng = np.random.default_rng(seed)
    points = sparse(rng, 200, 5)
    whole, parts = Moments.of(points), gather_moments(np.split(points, sorted(cuts)))
    assert parts.n == 200
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-13)
    np.testing.assert_allclose(parts.scatter, whole.scatter, rtol=1e-11, atol=1e-11)


def test_merging_is_associative_and_commutative():
    rng = np.random.default_rng(4)
    a, b, c = (Moments.of(sparse(rng, n, 4) + 100) for n in (3, 50, 700))
    left, right, turned = a.merged(b).merged(c), a.merged(b.merged(c)), c.merged(b).merged(a)
    for other in (right, turned):
        np.testing.assert_allclose(left.scatter, other.scatter, rtol=1e-11, atol=1e-8)
        np.testing.assert_allclose(left.mean, other.mean, rtol=1e-14)


def test_near_duplicates_far_from_the_origin_keep_their_digits():
    """Two latents that differ by 1e-4 at a mean of 1,000: raw squares lose the difference, centred ones do not."""
    rng = np.random.default_rng(5)
    base = 1_000 + rng.normal(size=60_000) * 0.01
    points = np.stack([base, base + 1e-4 * rng.normal(size=60_000), 1_000 + rng.normal(size=60_000)], axis=1)
    exact = points.astype(np.longdouble)
    exact = exact - exact.mean(axis=0)
    truth = (exact.T @ exact).astype(np.float64)
    ours = gather_moments(np.array_split(points, 37)).scatter
    raw = points.T @ points - 60_000 * np.outer(points.mean(axis=0), points.mean(axis=0))
    turn = np.array([1, -1, 0]) / np.sqrt(2)
    assert abs(turn @ ours @ turn / (turn @ truth @ turn) - 1) < 1e-9
    assert abs(turn @ raw @ turn / (turn @ truth @ turn) - 1) > 1e-6
    np.testing.assert_allclose(ours, truth, rtol=1e-11, atol=1e-8)


def test_near_duplicate_decoder_rows():
    rng = np.random.default_rng(6)
    decoder = rng.normal(size=(5, 64))
    decoder[1] = decoder[0] + 1e-5 * rng.normal(size=64)
    activations = sparse(rng, 2_000, 5)
    pca = pca_reconstruction(activations, decoder)
    singular, _, _ = direct(activations @ decoder)
    np.testing.assert_allclose(np.sqrt(pca.eigenvalues[:4] * 1999), singular[:4], rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(pca.eigenvalues[4] * 1999), singular[4], rtol=1e-3)


@pytest.mark.parametrize("points", [np.full((50, 4), 0.3), np.zeros((20, 3)), np.ones((1, 3)), np.full((9, 2), 1e-7)])
def test_points_all_alike_have_no_components(points):
    for pca in (pca_restricted(points), pca_reconstruction(points, np.eye(points.shape[1]))):
        assert pca.n_components == 0
        assert pca.scores.shape == (len(points), 0)
        assert pca.evr.size == 0


def test_copies_of_a_latent_span_one_dimension():
    column = np.linspace(1, 2, 100)
    assert pca_restricted(np.stack([column, column, column], axis=1)).n_components == 1


def test_equal_weights_take_the_first_as_the_leading_one():
    points = np.array([[1.0, 0], [0, 1.0], [2.0, 0], [0, 2.0], [0.5, 0], [0, 0.5]])
    pca = pca_restricted(points)
    assert pca.loadings[0, 0] > 0


def test_axes_serve_points_that_they_were_not_made_from():
    rng = np.random.default_rng(7)
    activations, decoder = sparse(rng, 300, 6), rng.normal(size=(6, 24))
    moments = gather_moments([activations[:100], activations[100:]])
    np.testing.assert_allclose(
        axes_reconstruction(moments, decoder).project(activations[:7]),
        pca_reconstruction(activations, decoder).scores[:7],
        atol=1e-9,
    )
    assert axes_restricted(moments, n_components=2).n_components == 2
