"""The outcome of each cluster's shape test, from its null draws; and the parameters of what it may be called."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.geometry.candidates import Candidate, find_candidate
from coactivation_manifolds.geometry.clusters import read_clusters, read_decoder
from coactivation_manifolds.geometry.fitted_shape import describe_shape
from coactivation_manifolds.geometry.nulls.p_values import NullTest, min_p, outcome_of
from coactivation_manifolds.geometry.nulls.shape_test import make_turns, statistic_names
from coactivation_manifolds.geometry.pca import one_blas_thread
from coactivation_manifolds.geometry.shape_points import TestedPoints, iterate_tested
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.irreducibility import (
    engels_value,
    measure_irreducibility,
    published_planes,
)
from coactivation_manifolds.geometry.shapes.negatives import name_negative
from coactivation_manifolds.geometry.vertex_tokens import vertex_token_ids
from coactivation_manifolds.schemas import SHAPE_NAMES, SHAPE_TESTS, conform
from coactivation_manifolds.storage import PathLike, read_table, write_json, write_table

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Row = dict[str, Any]


def summarize_tests(
    draws_path: PathLike,
    *,
    summary_path: PathLike,
    index: FeatureIndex,
    decoder_path: PathLike | None,
    settings: Mapping[str, Any],
    seed: int,
    tests_path: PathLike,
    shapes_path: PathLike,
) -> None:
    """Write ``shape_tests.parquet``, one row a tested cluster, and ``shapes.json``, one entry a candidate.

    Parameters
    ----------
    draws_path
        ``shape_draws.parquet``.
    summary_path, index, decoder_path, settings, seed
        As in ``shape_draws.draw_nulls``, and the same.
    tests_path, shapes_path
        The files to write.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged, or the draws are not of these clusters.

    """
    records = read_clusters(summary_path)
    decoder = read_decoder(decoder_path, n_latents=index.n_latents)
    names = statistic_names(has_decoder=decoder is not None)
    table = read_table(draws_path)
    drawn = dict(iterate_draws(table, draws_path, names))
    tested = iterate_tested(
        [record for record in records if record.cluster_id in drawn],
        index=index,
        decoder=decoder,
        settings=settings,
        seed=seed,
    )
    rows: list[Row] = []
    described: dict[str, Any] = {}
    with one_blas_thread():
        for each in tested:
            outcome = outcome_of(*_split(drawn[each.record.cluster_id]))
            candidate = find_candidate(each.activations, outcome, turns=turns_of(each), max_p=settings["max_q"])
            rows.append(outcome_row(each, drawn[each.record.cluster_id][0], outcome, candidate, names))
            if candidate is not None:
                described[each.record.name] = describe_shape(candidate.shape, each.record.members)
            if candidate is not None and candidate.shape.kind == "simplex":
                described[each.record.name]["vertex_tokens"] = vertex_token_ids(candidate.shape, each, index)
    if len(rows) != len(drawn):
        raise ResultsError(
            f"{draws_path} has draws of {len(drawn)} clusters, of which {len(rows)} are tested with these settings: "
            "delete it and run the same command again"
        )
    columns = {name: [row[name] for row in rows] for name in SHAPE_TESTS.names}
    record = {key: footer(table.schema)[key] for key in ("n_tested", "smallest_q")}
    write_table(conform(columns, SHAPE_TESTS), tests_path, metadata=record)
    write_json(described, shapes_path)
    logger.info("%d clusters, %d of them with a shape that holds", len(rows), len(described))


def iterate_draws(table: pa.Table, draws_path: PathLike, names: Sequence[str]) -> Iterator[tuple[int, Array]]:
    """By cluster, the statistics of the cluster and its draws, float64 [1 + r, s].

    Raises
    ------
    ResultsError
        The table has other statistics.

    """
    if table.schema.names != ["cluster_id", "draw", *names]:
        raise ResultsError(
            f"{draws_path} holds the statistics {', '.join(table.schema.names[2:])}, expected {', '.join(names)}: "
            "delete it and run the same command again"
        )
    starts = np.flatnonzero(table["draw"].to_numpy() == 0)
    ids = table["cluster_id"].to_numpy()
    values = np.column_stack([table[name].to_numpy() for name in names])
    for start, end in pairwise([*starts, len(ids)]):
        yield int(ids[start]), values[start:end]


def outcome_row(
    tested: TestedPoints, observed: Array, outcome: NullTest, candidate: Candidate | None, names: Sequence[str]
) -> Row:
    """One row of ``shape_tests.parquet``; p of a shape is over bases and numbers of vertices, the choice paid for."""
    scores = make_cloud(tested.activations @ next(iter(turns_of(tested).values()))).scores
    irreducible = measure_irreducibility(scores, rng=np.random.default_rng([tested.seed, 3]))
    row: Row = {
        "cluster_id": tested.record.cluster_id,
        "n_points": tested.n_points,
        "n_draws": outcome.n_draws,
        "p_any": outcome.p_any,
        "candidate": None,
        "candidate_basis": None,
        "candidate_vertices": None,
        "effect": None,
        "if_not_called": name_negative(tested.activations),
        "separability_bits": irreducible.separability_excess,
        "mixture_index": irreducible.mixture,
        "engels_score": engels_value(published_planes(scores)),
    }
    for shape in SHAPE_NAMES:
        own = np.array([name.partition("_")[2].startswith(shape) for name in names])
        called = np.flatnonzero(own)
        best = called[np.argmin(outcome.p[called])]
        plain = own & np.array([name.startswith("act_") for name in names])
        row |= {
            f"{shape}_statistic": float(observed[best]),
            f"{shape}_p": min_p(observed[called], outcome.draws[:, called]),
            f"{shape}_p_activations": min_p(observed[plain], outcome.draws[:, plain]),
        }
    if candidate is not None:
        row |= {
            "candidate": candidate.shape.kind,
            "candidate_basis": candidate.shape.basis,
            "candidate_vertices": candidate.shape.n_vertices or None,
            "effect": candidate.effect,
        }
    return row


def turns_of(tested: TestedPoints) -> dict[str, Array]:
    """The maps from a cluster's activations to the points of each basis."""
    return make_turns(tested.decoder, tested.activations.shape[1])


def _split(statistics: Array) -> tuple[Array, Array]:
    return statistics[0], statistics[1:]
