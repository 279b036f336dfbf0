"""A cluster's cloud against copula null clouds: p-values of all shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.nulls.copula import Copula, draw_activations, fit_copula, reconstruction_map
from coactivation_manifolds.geometry.nulls.p_values import LOOKS, NullTest, first_stage, second_stage
from coactivation_manifolds.geometry.pca import one_blas_thread
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.registry import SHAPES, Shape, measure_all

Array = npt.NDArray[np.float64]

MOST_POINTS = 1_000


class Subject(NamedTuple):
    """A cluster made ready for its test: everything that draws depend on.

    Attributes
    ----------
    activations
        float64 [m, k]: at most 1,000 points.
    turn
        float64 [k, k]: activations @ turn are the points that shapes are measured on.
    copula
        Fitted to the activations.
    seed
        Of the draws.

    """

    activations: Array
    turn: Array
    copula: Copula
    seed: int


def prepare(activations: npt.ArrayLike, *, decoder: npt.ArrayLike | None, seed: int, min_active: int = 1) -> Subject:
    """Sample a cluster's points and fit its null.

    Parameters
    ----------
    activations
        float [n, k], the cluster's points.
    decoder
        The members' decoder rows [k, d_model], to measure the reconstruction; None measures the activations.
    seed
        Of sample, fit and draws.
    min_active
        Latents that fire on a point at least, as the points were chosen.

    """
    values = np.asarray(activations, dtype=np.float64)
    rng = np.random.default_rng([seed, 0])
    if len(values) > MOST_POINTS:
        values = values[np.sort(rng.choice(len(values), MOST_POINTS, replace=False))]
    turn = np.eye(values.shape[1]) if decoder is None else reconstruction_map(decoder).T
    with one_blas_thread():
        return Subject(values, turn, fit_copula(values, rng=rng, min_active=min_active), seed)


def run_first_stage(
    subject: Subject, *, shapes: Mapping[str, Shape] = SHAPES, looks: Sequence[int] = LOOKS
) -> NullTest:
    """Test with few draws; ``p_values.needs_more`` says whether that is not enough."""
    with one_blas_thread():
        return first_stage(measure_subject(subject, shapes=shapes), _drawer(subject, shapes), looks=looks)


def run_second_stage(subject: Subject, *, n_draws: int, shapes: Mapping[str, Shape] = SHAPES) -> NullTest:
    """Test with up to ``n_draws`` draws (``p_values.draws_needed``), of which the first stage's are the first."""
    with one_blas_thread():
        return second_stage(measure_subject(subject, shapes=shapes), _drawer(subject, shapes), n_draws=n_draws)


def measure_subject(subject: Subject, *, shapes: Mapping[str, Shape] = SHAPES) -> Array:
    """The observed statistics, float64 [s]."""
    return measure_all(make_cloud(subject.activations @ subject.turn).scores, shapes=shapes)


def _drawer(subject: Subject, shapes: Mapping[str, Shape]) -> Callable[[int], Array]:
    rng = np.random.default_rng([subject.seed, 1])

    def draw(count: int) -> Array:
        rows = np.empty((count, len(shapes)))
        for row in rows:
            points = draw_activations(subject.copula, len(subject.activations), rng=rng)
            row[:] = measure_all(make_cloud(points @ subject.turn).scores, shapes=shapes)
        return rows

    return draw
