"""Shape tests and calls of many clusters: the one place where benchmarks meet the library's tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy.typing as npt

from coactivation_manifolds.clustering.summary import members_sha
from coactivation_manifolds.geometry.candidates import find_candidate
from coactivation_manifolds.geometry.nulls.p_values import LOOKS, NullTest, is_undecided, needs_more, q_values
from coactivation_manifolds.geometry.nulls.shape_test import Subject, prepare, run_first_stage, run_second_stage
from coactivation_manifolds.geometry.shape_draws import draw_on

Array = npt.NDArray[Any]

MAX_Q, FAMILY = 0.05, 4  # the configuration's defaults: shapes.max_q, shapes.family


class Cluster(NamedTuple):
    """What a test needs: points float64 [n, k], the members' decoder rows [k, d], and its seed."""

    points: Array
    decoder: Array | None
    seed: int


class Outcome(NamedTuple):
    """A test's result.

    Attributes
    ----------
    p, p_any
        Of each statistic in the registry's order, and of the most unusual.
    n_draws
        Behind them.
    effect
        Largest excess over the null.
    candidate
        What would be called if q is small enough, without the number of vertices; None where nothing holds.
    n_vertices
        Of a simplex, else 0.
    goes_on
        Whether the second stage must draw on.

    """

    p: tuple[float, ...]
    p_any: float
    n_draws: int
    effect: float
    candidate: str | None
    n_vertices: int
    goes_on: bool


class Call(NamedTuple):
    """A cluster's outcome, its q over the family, and the call: circle, simplex, helix, curve or None."""

    outcome: Outcome
    q: float
    shape: str | None


def seed_of(members: Array, *, seed: int) -> int:
    """The same set of latents gets the same draws in every clustering."""
    return (int(members_sha(members.tolist())[:12], 16) + seed) % 2**31


def call_family(clusters: Sequence[Cluster], *, threads: int = 1, looks: Sequence[int] = LOOKS) -> list[Call]:
    """Test the clusters of one clustering in the library's stages, and call shapes at q <= 0.05 over all of them.

    Parameters
    ----------
    clusters
        The family.
    threads
        Processes at once.
    looks
        Of the first stage; with fewer draws than the library's nothing goes on.

    """
    with ProcessPoolExecutor(threads) if threads > 1 else _InOneProcess() as pool:
        first = dict(enumerate(pool.map(partial(first_outcome, looks=looks), clusters, chunksize=4)))

        def again(waiting: Set[int], n_draws: int) -> Iterator[tuple[int, Outcome]]:
            places = sorted(waiting)
            drawn = pool.map(partial(second_outcome, n_draws=n_draws), [clusters[i] for i in places], chunksize=2)
            return zip(places, drawn, strict=True)

        outcomes = list(draw_on(first, again, n_family=FAMILY * len(clusters), max_q=MAX_Q).values())
    q = q_values([outcome.p_any for outcome in outcomes])
    return [
        Call(outcome, float(value), outcome.candidate if value <= MAX_Q else None)
        for outcome, value in zip(outcomes, q, strict=True)
    ]


def first_outcome(cluster: Cluster, *, looks: Sequence[int] = LOOKS) -> Outcome:
    """The first stage."""
    subject = prepare(cluster.points, decoder=cluster.decoder, seed=cluster.seed)
    test = run_first_stage(subject, looks=looks)
    return _outcome(subject, test, goes_on=needs_more(test))


def second_outcome(cluster: Cluster, *, n_draws: int) -> Outcome:
    """One round of the second stage."""
    subject = prepare(cluster.points, decoder=cluster.decoder, seed=cluster.seed)
    test = run_second_stage(subject, n_draws=n_draws)
    return _outcome(subject, test, goes_on=is_undecided(test))


def _outcome(subject: Subject, test: NullTest, *, goes_on: bool) -> Outcome:
    found = find_candidate(subject.activations, test, turns=subject.turns, max_p=MAX_Q)
    shape, vertices = (found.shape.kind, found.shape.n_vertices) if found else (None, 0)
    return Outcome(tuple(test.p.tolist()), test.p_any, test.n_draws, float(test.excess.max()), shape, vertices, goes_on)


class _InOneProcess:
    """A pool that runs what it is given at once."""

    def __enter__(self) -> _InOneProcess:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, function: Any, *arguments: Any, chunksize: int = 1) -> Any:
        return map(function, *arguments)
