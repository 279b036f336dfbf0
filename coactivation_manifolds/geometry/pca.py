"""Principal components of a cluster's activations A (tokens x k), and of its part of the residual stream X = A D.

Both cost k dimensions, never d_model. With the k decoder rows D (k x d) and the thin factorisation D^T = Q R,
X = A R^T Q^T, and Q has orthonormal columns: the principal components of Z = A R^T are those of X, turned by Q.
Since Z is linear in A, one pass that gathers the k x k moments of A serves both.

The moments are centred within each block and merged with the formula of Chan, Golub and LeVeque (1979, "Updating
formulae and a pairwise algorithm for computing sample variances"): sums of raw squares would lose the digits of latents
that are nearly copies of one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import scipy.linalg

from coactivation_manifolds.schemas import N_COMPONENTS

Array = npt.NDArray[np.float64]

ACTIVATIONS = "activations"
RECONSTRUCTION = "reconstruction"

_NEGLIGIBLE = 1e-24
"""Variance over mean square below which the points are one and the same (float16 steps give at least 1e-13)."""


def one_blas_thread() -> AbstractContextManager[object]:
    """Hold BLAS to one thread: the number of threads may change the last digits."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


@dataclass(frozen=True)
class Moments:
    """Number of points, their mean [k] and their centred sums of products [k, k]."""

    n: int
    mean: Array
    scatter: Array

    @staticmethod
    def of(block: npt.ArrayLike) -> Moments:
        """Moments of one block, float [n, k] with n >= 1."""
        values = np.asarray(block, dtype=np.float64)
        mean = values.mean(axis=0)
        centred = values - mean
        # the mean's own rounding error, taken off (Chan, Golub and LeVeque 1983)
        slip = centred.sum(axis=0)
        return Moments(len(values), mean, centred.T @ centred - np.outer(slip, slip) / len(values))

    def merged(self, other: Moments) -> Moments:
        """Moments of both sets of points together."""
        n = self.n + other.n
        gap = other.mean - self.mean
        return Moments(
            n,
            self.mean + gap * (other.n / n),
            self.scatter + other.scatter + np.outer(gap, gap) * (self.n * other.n / n),
        )


def gather_moments(blocks: Iterable[npt.ArrayLike]) -> Moments:
    """Moments of a stream of blocks, at least one, merged in its order."""
    return reduce(Moments.merged, (Moments.of(block) for block in blocks))


@dataclass(frozen=True)
class Axes:
    """Principal axes of a cluster in one basis.

    At most five; fewer where the points span fewer dimensions, none where all points are one and the same.

    Attributes
    ----------
    basis
        ``activations`` or ``reconstruction``.
    n
        Number of points.
    mean
        Mean of the points: [k] activations, or [d_model] of A D.
    loadings
        Orthonormal directions, one a row: [p, k], or [p, d_model].
    eigenvalues
        Variances along them, [p], descending, in squared units of activation (divisor n - 1).
    total_variance
        Variance over all directions.
    latent_mean
        Mean activations, [k].
    latent_weights
        [p, k]: a point's scores are ``(activations - latent_mean) @ latent_weights.T``. In the basis of activations
        these are the loadings, in the reconstruction they are ``loadings @ D.T``. Of each row the weight of largest
        size is positive, which fixes the sign.

    """

    basis: str
    n: int
    mean: Array
    loadings: Array
    eigenvalues: Array
    total_variance: float
    latent_mean: Array
    latent_weights: Array

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return len(self.eigenvalues)

    @property
    def evr(self) -> Array:
        """Share of the variance along each component, [p]."""
        return self.eigenvalues / self.total_variance if self.n_components else np.empty(0)

    def project(self, activations: npt.ArrayLike) -> Array:
        """Scores of points, float64 [n, p], from their activations [n, k]."""
        scores: Array = (np.asarray(activations, dtype=np.float64) - self.latent_mean) @ self.latent_weights.T
        return scores


@dataclass(frozen=True)
class PCA(Axes):
    """Principal axes with the scores of the points that they were made from, float64 [n, p]."""

    scores: Array


def axes_restricted(moments: Moments, *, n_components: int = N_COMPONENTS) -> Axes:
    """Principal axes of the activations themselves."""
    values, vectors, total = _eigen(moments, moments.scatter, moments.mean, n_components)
    weights = _fix_sign(vectors.T, vectors.T)
    return Axes(ACTIVATIONS, moments.n, moments.mean, weights, values, total, moments.mean, weights)


def axes_reconstruction(moments: Moments, decoder: npt.ArrayLike, *, n_components: int = N_COMPONENTS) -> Axes:
    """Principal axes of A D, from the moments of A alone.

    Parameters
    ----------
    moments
        Of the activations A, [n, k].
    decoder
        The members' decoder rows D, float [k, d_model].
    n_components
        Number of components at most.

    """
    rows = np.asarray(decoder, dtype=np.float64)
    orthonormal, triangular = scipy.linalg.qr(rows.T, mode="economic")
    scatter = triangular @ moments.scatter @ triangular.T
    values, vectors, total = _eigen(moments, (scatter + scatter.T) / 2, triangular @ moments.mean, n_components)
    weights = vectors.T @ triangular
    loadings = _fix_sign(vectors.T @ orthonormal.T, weights)
    return Axes(
        RECONSTRUCTION,
        moments.n,
        moments.mean @ rows,
        loadings,
        values,
        total,
        moments.mean,
        _fix_sign(weights, weights),
    )


def pca_restricted(activations: npt.ArrayLike, *, n_components: int = N_COMPONENTS) -> PCA:
    """Principal components of activations, float [n, k], with the points' scores."""
    points = np.asarray(activations, dtype=np.float64)
    return _with_scores(axes_restricted(Moments.of(points), n_components=n_components), points)


def pca_reconstruction(activations: npt.ArrayLike, decoder: npt.ArrayLike, *, n_components: int = N_COMPONENTS) -> PCA:
    """Principal components of A D, with the points' scores: the same as the SVD of the centred A D.

    Parameters
    ----------
    activations
        A, float [n, k].
    decoder
        D, float [k, d_model].
    n_components
        Number of components at most.

    """
    points = np.asarray(activations, dtype=np.float64)
    return _with_scores(axes_reconstruction(Moments.of(points), decoder, n_components=n_components), points)


def _with_scores(axes: Axes, points: Array) -> PCA:
    return PCA(**vars(axes), scores=axes.project(points))


def _eigen(moments: Moments, scatter: Array, mean: Array, n_components: int) -> tuple[Array, Array, float]:
    """Largest eigenvalues as variances, their vectors as columns, and the trace; leaves out what rounding swallows."""
    k = len(scatter)
    total = float(np.trace(scatter)) / max(1, moments.n - 1)
    mean_square = float(mean @ mean)
    if moments.n < 2 or total <= _NEGLIGIBLE * mean_square or total <= 0:
        return np.empty(0), np.empty((k, 0)), 0.0
    first = max(0, k - n_components)
    values, vectors = scipy.linalg.eigh(scatter, subset_by_index=[first, k - 1])
    values, vectors = values[::-1] / (moments.n - 1), vectors[:, ::-1]
    real = values > k * np.finfo(np.float64).eps * values[0]
    return values[real], vectors[:, real], total


def _fix_sign(rows: Array, weights: Array) -> Array:
    """Turn each row so that its weight of largest size is positive; among equals (to 1e-9) the first decides."""
    size = np.abs(weights)
    leading = np.argmax(size >= size.max(axis=1, keepdims=True, initial=0) * (1 - 1e-9), axis=1)
    signs = np.where(weights[np.arange(len(weights)), leading] < 0, -1.0, 1.0)
    return rows * signs[:, None]
