"""Activations of planted clusters, from generators that are no Gaussian copulas."""

from __future__ import annotations

import numpy as np


def ring_tiles(rng, n, k, *, width=1.25):
    """Tiles on a circle, two or three firing at once; also each point's angle."""
    angle = rng.uniform(0, 2 * np.pi, n)
    values = np.cos(angle[:, None] - 2 * np.pi * np.arange(k) / k) - np.cos(2 * width * np.pi / k)
    return np.maximum(5 * values + 0.1 * rng.normal(size=values.shape), 0), angle


def belief_triangle(rng, n, k):
    """Beliefs that fill a triangle, read by k latents."""
    return np.maximum(rng.dirichlet([0.7, 0.7, 0.7], n) @ (3 * rng.normal(size=(3, k)) + 1.5), 0)


def gated_blob(rng, n, k):
    """Latents that fire independently given a topic's strength, of gamma sizes: what co-fires without a shape."""
    strength = rng.beta(2, 2, size=(n, 1))
    fires = rng.random((n, k)) < strength * rng.uniform(0.4, 0.9, size=k)
    return fires * rng.gamma(2, 1, size=(n, k))


def two_groups(rng, n, k):
    """Either half of the latents fires: a mixture."""
    first = rng.random((n, 1)) < 0.5
    half = np.arange(k) < k // 2
    return (rng.random((n, k)) < 0.6) * (first == half) * rng.gamma(2, 1, size=(n, k))


def points_of(activations, *, min_active=1):
    """Rows where enough latents fire."""
    return activations[(activations > 0).sum(axis=1) >= min_active]


def unit_rows(rng, k, d_model=64):
    """A decoder of nearly orthogonal rows."""
    rows = rng.normal(size=(k, d_model))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def common_gain(rng, n, k):
    """Latents whose strengths, and so whether they fire, follow one strength of the token: a blob with long tails."""
    gain = rng.gamma(2, 0.5, size=(n, 1))
    fires = rng.random((n, k)) < 1 - np.exp(-gain * rng.uniform(0.4, 1.5, k))
    return fires * gain * rng.gamma(8, 0.25, (n, k))


def relu_cloud(rng, n, k):
    """A Gaussian cloud of six dimensions read by rectified random directions."""
    cloud = rng.normal(size=(n, 6)) + 0.4 * rng.normal(size=6)
    return np.maximum(2 * (cloud @ unit_rows(rng, k, 6).T - rng.uniform(-0.2, 0.6, k)), 0)


def three_groups(rng, n, k):
    """One of three groups of latents fires, now and then a latent of another: a mixture."""
    own = rng.integers(0, 3, size=(n, 1)) == np.arange(k) % 3
    return (rng.random((n, k)) < np.where(own, 0.65, 0.05)) * rng.gamma(3, 0.7, (n, k))
