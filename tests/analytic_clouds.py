"""Analytic clouds of known shape, with noise, in any number of dimensions."""

from __future__ import annotations

import numpy as np


def ring(rng, n, *, degrees=360, concentration=0.0):
    """Points on a unit circle or an arc of it; crowded at one side where the concentration is above 0."""
    angles = rng.vonmises(0, concentration, n) if concentration else np.radians(rng.uniform(0, degrees, n))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def disc(rng, n):
    """Uniform in the unit disc."""
    return ring(rng, n) * np.sqrt(rng.random((n, 1)))


def simplex(rng, n, k, *, concentration=1.0):
    """Dirichlet points of a regular simplex with k vertices, in k - 1 dimensions."""
    weights = rng.dirichlet(np.broadcast_to(concentration, (k,)), n)
    corners = np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1]
    return weights @ corners


def helix(rng, n, *, turns=3.0, length=4.0):
    """Points on a helix of unit radius."""
    along = rng.uniform(-0.5, 0.5, n)
    turn = 2 * np.pi * turns * along
    return np.stack([length * along, np.cos(turn), np.sin(turn)], axis=1)


def line(rng, n):
    """Points on a segment of length 4."""
    return rng.uniform(-2, 2, (n, 1))


def wave(rng, n):
    """Points on a bent open thread in a plane."""
    along = rng.uniform(-1, 1, n)
    return np.stack([2 * along, np.sin(3 * along)], axis=1)


def axes(rng, n, k=2):
    """One axis at a time, away from 0: a mixture."""
    points = np.zeros((n, k))
    points[np.arange(n), rng.integers(0, k, n)] = rng.uniform(0.5, 1.5, n)
    return points


def embed(rng, points, *, dimensions, noise=0.0, outliers=0.0):
    """Turn points into a random subspace, add Gaussian noise of this total size, and stray points far out."""
    n, d = points.shape
    basis = np.linalg.qr(rng.normal(size=(dimensions, d)))[0]
    placed = points @ basis.T + noise / np.sqrt(dimensions) * rng.normal(size=(n, dimensions))
    n_out = int(outliers * n)
    scale = 3 * np.sqrt((placed**2).sum(axis=1).mean())
    stray = rng.normal(size=(n_out, dimensions))
    placed[:n_out] = scale * stray / np.linalg.norm(stray, axis=1, keepdims=True) * rng.uniform(0.7, 1.3, (n_out, 1))
    return placed
