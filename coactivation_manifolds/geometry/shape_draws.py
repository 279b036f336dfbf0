"""Null draws of all clusters of a clustering: what the statistics of shapes are by marginals and pairs alone.

The dear part of the shape tests, and a file of its own: p-values, calls and ranks are made from it in seconds.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.geometry.clusters import ClusterRecord, read_clusters, read_decoder
from coactivation_manifolds.geometry.nulls.p_values import (
    LOOKS,
    NullTest,
    draws_needed,
    is_undecided,
    needs_more,
    smallest_q,
)
from coactivation_manifolds.geometry.nulls.shape_test import (
    measure_subject,
    prepare,
    run_first_stage,
    run_second_stage,
    statistic_names,
)
from coactivation_manifolds.geometry.shape_points import TestedPoints, iterate_tested
from coactivation_manifolds.progress import duration
from coactivation_manifolds.schemas import shape_draws_schema
from coactivation_manifolds.storage import PathLike, write_table

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]

AHEAD = 4
"""Clusters that are read ahead for each process."""

SECONDS_BETWEEN_LINES = 30.0


class GoesOn(Protocol):
    """The draws of one cluster so far, whatever else is kept of them."""

    @property
    def goes_on(self) -> bool:
        """Whether the second stage must draw on."""


Name = TypeVar("Name", bound=Hashable)
Result = TypeVar("Result", bound=GoesOn)


class Drawn(NamedTuple):
    """One cluster's statistics.

    Attributes
    ----------
    cluster_id
        The cluster.
    statistics
        float64 [1 + r, s]: of the cluster, then of the draws.
    goes_on
        Whether the second stage must draw on.

    """

    cluster_id: int
    statistics: Array
    goes_on: bool


def draw_nulls(
    summary_path: PathLike,
    *,
    index: FeatureIndex,
    decoder_path: PathLike | None,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    draws_path: PathLike,
) -> None:
    """Write ``shape_draws.parquet``: for each tested cluster its statistics (draw 0), then those of its null draws.

    Clusters within the size bounds with enough points are tested, in two stages (``nulls.p_values``): few draws for
    all, then rounds of more for those that look like a find, until those that still do could be called. What is drawn
    depends on the set of latents and the seed, and neither on the clustering nor on the number of processes; how much
    of it is drawn, on how many clusters the clustering has.

    Parameters
    ----------
    summary_path
        ``clusters_summary.parquet`` of the clustering.
    index, decoder_path
        Of the experiment; no decoder where there is none.
    settings
        As in ``shape_points.read_tested``, with ``max_q``, the largest q of a call, and ``family``: among how many
        times the clustering's clusters a single find must be able to reach it.
    seed
        The experiment's.
    threads
        Processes to draw in.
    draws_path
        The file to write.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged, or the decoder is another SAE's.

    """
    records = read_clusters(summary_path)
    decoder = read_decoder(decoder_path, n_latents=index.n_latents)

    def tested(chosen: Sequence[ClusterRecord]) -> Iterator[TestedPoints]:
        return iterate_tested(chosen, index=index, decoder=decoder, settings=settings, seed=seed)

    ahead = AHEAD * threads
    with _pool(threads) as pool:
        first = _draw_all(pool, tested(records), "first stage", settings, None, ahead=ahead)
        drawn = {each.cluster_id: each for each in first}
        n_family = len(drawn) * settings["family"]

        def again(waiting: Set[int], n_draws: int) -> Iterator[tuple[int, Drawn]]:
            chosen = tested([record for record in records if record.cluster_id in waiting])
            for each in _draw_all(pool, chosen, "second stage", settings, n_draws, ahead=ahead):
                yield each.cluster_id, each

        drawn = draw_on(drawn, again, n_family=n_family, max_q=settings["max_q"])
    names = statistic_names(has_decoder=decoder is not None)
    reachable = smallest_q(len(drawn), draws_needed(n_family, 1, q=settings["max_q"])) if drawn else None
    record = {"n_tested": str(len(drawn)), "smallest_q": "" if reachable is None else repr(reachable)}
    write_table(_as_table(list(drawn.values()), names), draws_path, metadata=record)
    logger.info(
        "%d clusters tested, %d null draws", len(drawn), sum(len(each.statistics) - 1 for each in drawn.values())
    )


def draw_on(
    first: Mapping[Name, Result],
    again: Callable[[Set[Name], int], Iterable[tuple[Name, Result]]],
    *,
    n_family: int,
    max_q: float,
) -> dict[Name, Result]:
    """The second stage: rounds of more draws, until those that still look like finds could all be called.

    Parameters
    ----------
    first
        What the first stage drew for each cluster, by name.
    again
        Draws anew for the named clusters, up to so many draws each.
    n_family
        Among how many clusters a find must be able to reach ``max_q``.
    max_q
        Largest q of a call.

    Returns
    -------
    dict
        The last draws of each cluster, in the order of ``first``.

    """
    drawn, n_draws = dict(first), LOOKS[-1]
    waiting = {name for name, each in drawn.items() if each.goes_on}
    while waiting and (needed := draws_needed(n_family, len(waiting), q=max_q)) > n_draws:
        n_draws = max(needed, 2 * n_draws)
        logger.info("%d clusters go on, with up to %d draws each", len(waiting), n_draws)
        drawn.update(again(waiting, n_draws))
        waiting = {name for name in waiting if drawn[name].goes_on}
    return drawn


def draw_one(tested: TestedPoints, settings: Mapping[str, Any], n_draws: int | None) -> Drawn:
    """The draws of one cluster: of the first stage, or up to ``n_draws`` in the second."""
    subject = prepare(
        tested.activations,
        decoder=tested.decoder,
        seed=tested.seed,
        min_active=settings["min_active"],
        most=settings["sample_points"],
    )
    test: NullTest = run_first_stage(subject) if n_draws is None else run_second_stage(subject, n_draws=n_draws)
    statistics = np.vstack([measure_subject(subject), test.draws])
    return Drawn(tested.record.cluster_id, statistics, needs_more(test) if n_draws is None else is_undecided(test))


def _draw_all(
    pool: Executor | None,
    tested: Iterable[TestedPoints],
    label: str,
    settings: Mapping[str, Any],
    n_draws: int | None,
    *,
    ahead: int,
) -> Iterator[Drawn]:
    """Draw for each cluster, in their order, reading at most ``ahead`` clusters ahead."""
    started = last = time.monotonic()
    waiting: list[Future[Drawn]] = []
    n_done = 0

    def tell() -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= SECONDS_BETWEEN_LINES:
            last = now
            logger.info("%s: %d clusters drawn in %s", label, n_done, duration(now - started))

    for each in tested:
        if pool is None:
            yield draw_one(each, settings, n_draws)
            n_done += 1
            tell()
            continue
        waiting.append(pool.submit(draw_one, each, dict(settings), n_draws))
        while len(waiting) > ahead:
            yield waiting.pop(0).result()
            n_done += 1
            tell()
    for future in waiting:
        yield future.result()


@contextmanager
def _pool(threads: int) -> Iterator[Executor | None]:
    """Processes to draw in, none where one would do; not forked, since the parent may have threads."""
    if threads <= 1:
        yield None
        return
    with ProcessPoolExecutor(threads, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def _as_table(drawn: list[Drawn], names: list[str]) -> pa.Table:
    lengths = [len(each.statistics) for each in drawn]
    values = np.vstack([each.statistics for each in drawn]) if drawn else np.empty((0, len(names)))
    columns = {
        "cluster_id": np.repeat(np.array([each.cluster_id for each in drawn], dtype=np.int32), lengths),
        "draw": np.concatenate([np.arange(n, dtype=np.int32) for n in lengths] or [np.empty(0, dtype=np.int32)]),
        **{name: np.ascontiguousarray(values[:, s]) for s, name in enumerate(names)},
    }
    return pa.table(columns, schema=shape_draws_schema(names))
