"""Shape tests and calls of many clusters: the one place where benchmarks meet the library's tests."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy.typing as npt

from coactivation_manifolds.clustering.summary import members_sha
from coactivation_manifolds.geometry.candidates import find_candidate
from coactivation_manifolds.geometry.nulls.p_values import LOOKS, NullTest, draws_needed, needs_more, q_values
from coactivation_manifolds.geometry.nulls.shape_test import Subject, prepare, run_first_stage, run_second_stage

Array = npt.NDArray[Any]

MAX_Q = 0.05


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

    """

    p: tuple[float, ...]
    p_any: float
    n_draws: int
    effect: float
    candidate: str | None
    n_vertices: int


class Call(NamedTuple):
    """A cluster's outcome, its q over the family, and the call: circle, simplex, helix, curve or None."""

    outcome: Outcome
    q: float
    shape: str | None


def seed_of(members: Array, *, seed: int) -> int:
    """The same set of latents gets the same draws in every clustering."""
    return (int(members_sha(members.tolist())[:12], 16) + seed) % 2**31


def call_family(clusters: Sequence[Cluster], *, threads: int = 1, looks: Sequence[int] = LOOKS) -> list[Call]:
    """Test the clusters of one clustering in two stages, and call shapes at q <= 0.05 over all of them.

    Parameters
    ----------
    clusters
        The family.
    threads
        Processes at once.
    looks
        Of the first stage; with fewer draws than the library's there is no second stage.

    """
    with ProcessPoolExecutor(threads) if threads > 1 else _InOneProcess() as pool:
        first = list(pool.map(partial(first_outcome, looks=looks), clusters, chunksize=4))
        entered = [place for place, (_, more) in enumerate(first) if more]
        n_draws = draws_needed(len(clusters), len(entered))
        if n_draws <= LOOKS[-1]:
            entered = []  # the first stage's draws are enough for q
        again = pool.map(second_outcome, [clusters[place] for place in entered], [n_draws] * len(entered), chunksize=2)
        outcomes = [outcome for outcome, _ in first]
        for place, outcome in zip(entered, again, strict=True):
            outcomes[place] = outcome
    q = q_values([outcome.p_any for outcome in outcomes])
    return [
        Call(outcome, float(value), outcome.candidate if value <= MAX_Q else None)
        for outcome, value in zip(outcomes, q, strict=True)
    ]


def first_outcome(cluster: Cluster, *, looks: Sequence[int] = LOOKS) -> tuple[Outcome, bool]:
    """The first stage, and whether the second is needed."""
    subject = prepare(cluster.points, decoder=cluster.decoder, seed=cluster.seed)
    test = run_first_stage(subject, looks=looks)
    return _outcome(subject, test), needs_more(test)


def second_outcome(cluster: Cluster, n_draws: int) -> Outcome:
    """The second stage."""
    subject = prepare(cluster.points, decoder=cluster.decoder, seed=cluster.seed)
    return _outcome(subject, run_second_stage(subject, n_draws=n_draws))


def _outcome(subject: Subject, test: NullTest) -> Outcome:
    found = find_candidate(subject.activations, test, turns=subject.turns, max_p=MAX_Q)
    shape, vertices = (found.shape.kind, found.shape.n_vertices) if found else (None, 0)
    return Outcome(tuple(test.p.tolist()), test.p_any, test.n_draws, float(test.excess.max()), shape, vertices)


class _InOneProcess:
    """A pool that runs what it is given at once."""

    def __enter__(self) -> _InOneProcess:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, function: Any, *arguments: Any, chunksize: int = 1) -> Any:
        return map(function, *arguments)
