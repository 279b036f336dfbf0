"""A cluster's cloud against copula null clouds, in both bases at once: p-values of all shapes."""

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
RECON, ACT = "recon", "act"
"""Short names of the bases in columns: the reconstruction through the decoder, and the activations themselves."""

NEEDS_RECONSTRUCTION = ("circle", "simplex")
"""Shapes that are called in the reconstruction only: activations lie on the faces of an orthant, whose edges and
corners look like these."""


class Subject(NamedTuple):
    """A cluster made ready for its test: everything that draws depend on.

    Attributes
    ----------
    activations
        float64 [m, k]: at most 1,000 points.
    turns
        By basis, float64 [k, k]: activations @ turn are the points that shapes are measured on; the reconstruction
        first, where there is a decoder.
    copula
        Fitted to the activations.
    seed
        Of the draws.

    """

    activations: Array
    turns: Mapping[str, Array]
    copula: Copula
    seed: int

    @property
    def basis(self) -> str:
        """The basis that shapes are called in first: the reconstruction, or the activations without a decoder."""
        return next(iter(self.turns))

    @property
    def turn(self) -> Array:
        """The turn of that basis."""
        return self.turns[self.basis]


def sample_rows(n_points: int, *, seed: int, most: int = MOST_POINTS) -> npt.NDArray[np.int64]:
    """Numbers of the points that a test looks at, ascending: all, or a seeded sample of ``most``."""
    if n_points <= most:
        return np.arange(n_points, dtype=np.int64)
    return np.sort(np.random.default_rng([seed, 0]).choice(n_points, most, replace=False)).astype(np.int64)


def prepare(
    activations: npt.ArrayLike,
    *,
    decoder: npt.ArrayLike | None,
    seed: int,
    min_active: int = 1,
    most: int = MOST_POINTS,
) -> Subject:
    """Sample a cluster's points and fit its null.

    Parameters
    ----------
    activations
        float [n, k], the cluster's points.
    decoder
        The members' decoder rows [k, d_model]; without them only the activations themselves are measured.
    seed
        Of sample, fit and draws.
    min_active
        Latents that fire on a point at least, as the points were chosen.
    most
        Points to test at most; a seeded sample of more.

    """
    values = np.asarray(activations, dtype=np.float64)
    values = values[sample_rows(len(values), seed=seed, most=most)]
    rng = np.random.default_rng([seed, 2])
    with one_blas_thread():
        copula = fit_copula(values, rng=rng, min_active=min_active)
    return Subject(values, make_turns(decoder, values.shape[1]), copula, seed)


def make_turns(decoder: npt.ArrayLike | None, k: int) -> dict[str, Array]:
    """The maps from activations to the points of each basis, the reconstruction first."""
    plain = {ACT: np.eye(k)}
    return plain if decoder is None else {RECON: reconstruction_map(decoder).T, **plain}


def statistic_names(*, has_decoder: bool, shapes: Mapping[str, Shape] = SHAPES) -> list[str]:
    """Names of the statistics, ``{basis}_{shape}``, in the order in which they are measured."""
    bases = (RECON, ACT) if has_decoder else (ACT,)
    return [f"{basis}_{shape}" for basis in bases for shape in shapes]


def run_first_stage(
    subject: Subject, *, shapes: Mapping[str, Shape] = SHAPES, looks: Sequence[int] = LOOKS
) -> NullTest:
    """Test with few draws; ``p_values.needs_more`` says whether that is not enough."""
    with one_blas_thread():
        return first_stage(
            measure_subject(subject, shapes=shapes),
            _drawer(subject, shapes),
            looks=looks,
        )


def run_second_stage(subject: Subject, *, n_draws: int, shapes: Mapping[str, Shape] = SHAPES) -> NullTest:
    """Test with up to ``n_draws`` draws (``p_values.draws_needed``), of which the first stage's are the first."""
    with one_blas_thread():
        return second_stage(
            measure_subject(subject, shapes=shapes),
            _drawer(subject, shapes),
            n_draws=n_draws,
        )


def measure_subject(subject: Subject, *, shapes: Mapping[str, Shape] = SHAPES) -> Array:
    """The observed statistics, float64 [s], in the order of ``statistic_names``."""
    return _measure(subject.activations, subject.turns, shapes)


def _measure(activations: Array, turns: Mapping[str, Array], shapes: Mapping[str, Shape]) -> Array:
    clouds = (make_cloud(activations @ turn, activations=activations) for turn in turns.values())
    return np.concatenate([measure_all(cloud, shapes=shapes) for cloud in clouds])


def _drawer(subject: Subject, shapes: Mapping[str, Shape]) -> Callable[[int], Array]:
    rng = np.random.default_rng([subject.seed, 1])

    def draw(count: int) -> Array:
        rows = np.empty((count, len(subject.turns) * len(shapes)))
        for row in rows:
            points = draw_activations(subject.copula, len(subject.activations), rng=rng)
            row[:] = _measure(points, subject.turns, shapes)
        return rows

    return draw
