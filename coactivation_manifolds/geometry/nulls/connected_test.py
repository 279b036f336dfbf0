"""Called clusters beside random connected sets of the same graph: who else has as much of the shape?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.clusters import ClusterRecord, read_decoder
from coactivation_manifolds.geometry.nulls.connected_sets import JaccardGraph, draw_connected_sets, make_jaccard_graph
from coactivation_manifolds.geometry.nulls.p_values import p_values, q_values
from coactivation_manifolds.geometry.nulls.shape_test import make_turns
from coactivation_manifolds.geometry.pca import one_blas_thread
from coactivation_manifolds.geometry.shape_points import read_tested, seed_of
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.geometry.shapes.registry import SHAPES, measure_all
from coactivation_manifolds.schemas import CONNECTED_SETS, conform
from coactivation_manifolds.storage import PathLike, read_table, write_table

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

logger = logging.getLogger(__name__)

Row = dict[str, Any]
TEST_COLUMNS = ("cluster_id", "p_any", "candidate", "candidate_basis", "candidate_vertices")
SUMMARY_COLUMNS = ("cluster_id", "members", "mean_jaccard")
EDGE_COLUMNS = ("feature_a", "feature_b", "jaccard")
CONNECTED = 4  # stream of random numbers of a cluster's seed


def compare_connected_sets(
    tests_path: PathLike,
    *,
    summary_path: PathLike,
    edges_path: PathLike,
    index: FeatureIndex,
    decoder_path: PathLike | None,
    settings: Mapping[str, Any],
    n_sets: int,
    max_q: float,
    seed: int,
    sets_path: PathLike,
) -> None:
    """Write ``connected_sets.parquet``: one row for each cluster of a clustering whose shape is called.

    Parameters
    ----------
    tests_path, summary_path, edges_path
        ``shape_tests.parquet``, ``clusters_summary.parquet``, ``edges.parquet``.
    index, decoder_path
        Of the experiment; no decoder where there is none.
    settings
        As in ``shape_points.read_tested``: what makes a point, and how many a set must have.
    n_sets
        Connected sets to compare each cluster with; fewer where the graph has fewer.
    max_q
        Largest q of a call.
    seed
        The experiment's.
    sets_path
        The file to write. ``p_connected`` is (1 + sets with at least the cluster's statistic) / (1 + sets); null where
        no pair of the cluster is an edge, or no set was found.

    Raises
    ------
    InputError, ResultsError
        A file is missing or damaged.

    """
    called = called_clusters(tests_path, max_q=max_q)
    clusters = {row["cluster_id"]: row for row in read_table(summary_path, columns=SUMMARY_COLUMNS).to_pylist()}
    rows = []
    if called:
        edges = read_table(edges_path, columns=EDGE_COLUMNS)
        graph = make_jaccard_graph(*(edges[name].to_numpy() for name in EDGE_COLUMNS))
        decoder = read_decoder(decoder_path, n_latents=index.n_latents)
        measure = StatisticOf(index, decoder, settings, seed=seed)
        with one_blas_thread():
            rows = [
                compare_one(row | clusters[row["cluster_id"]], graph, measure, n_sets=n_sets, seed=seed)
                for row in called
            ]
    columns = {name: [row.get(name) for row in rows] for name in CONNECTED_SETS.names}
    write_table(conform(columns, CONNECTED_SETS), sets_path)
    logger.info("%d called clusters compared with up to %d connected sets each", len(rows), n_sets)


def called_clusters(tests_path: PathLike, *, max_q: float) -> list[Row]:
    """The tested clusters that have a candidate and a small enough q over all tested."""
    rows = read_table(tests_path, columns=TEST_COLUMNS).to_pylist()
    q = q_values([row["p_any"] for row in rows]).tolist() if rows else []
    return [row for row, value in zip(rows, q, strict=True) if value <= max_q and row["candidate"] is not None]


class StatisticOf:
    """Measures one shape on the points of a set of latents, as the shape tests measure a cluster's."""

    def __init__(
        self, index: FeatureIndex, decoder: npt.NDArray[Any] | None, settings: Mapping[str, Any], *, seed: int
    ) -> None:
        self._index, self._decoder, self._settings, self._seed = index, decoder, settings, seed

    def __call__(self, members: Sequence[int], *, shape: str, basis: str) -> float | None:
        """The statistic of a shape of the registry; None where the latents have too few points.

        Parameters
        ----------
        members
            Latents, ascending.
        shape, basis
            A name of the registry; ``recon`` or ``act``.

        """
        tested = read_tested(
            record_of(members), index=self._index, decoder=self._decoder, settings=self._settings, seed=self._seed
        )
        self._index.forget_pages()
        if tested is None:
            return None
        turn = make_turns(tested.decoder, len(members))[basis]
        cloud = make_cloud(tested.activations @ turn, activations=tested.activations)
        return float(measure_all(cloud, shapes={shape: SHAPES[shape]})[0])


def record_of(members: Sequence[int]) -> ClusterRecord:
    """A set of latents as if it were a cluster."""
    return ClusterRecord(
        cluster_id=0,
        size=len(members),
        members=tuple(members),
        n_pairs_present=0,
        mean_jaccard=None,
        mean_cosine=None,
        cosine_best_jaccard=None,
        missed_by_cosine=None,
    )


def compare_one(cluster: Row, graph: JaccardGraph, measure: StatisticOf, *, n_sets: int, seed: int) -> Row:
    """One row of ``connected_sets.parquet``.

    Parameters
    ----------
    cluster
        A row of the tests with that of the summary.
    graph, measure
        Of the experiment.
    n_sets, seed
        As in ``compare_connected_sets``. The same members and seed give the same sets in every clustering.

    """
    vertices = cluster["candidate_vertices"]
    shape = f"{cluster['candidate']}_{vertices}" if cluster["candidate"] == "simplex" else cluster["candidate"]
    how = {"shape": shape, "basis": cluster["candidate_basis"]}
    members = tuple(sorted(cluster["members"]))
    observed = measure(members, **how)
    row: Row = {**cluster, **how, "statistic": observed, "n_sets": 0}
    if cluster["mean_jaccard"] is None or observed is None:
        return row
    rng = np.random.default_rng([seed_of(record_of(members), seed=seed), CONNECTED])
    drawn = draw_connected_sets(
        graph, size=len(members), mean_jaccard=cluster["mean_jaccard"], n_sets=n_sets, excluded=members, rng=rng
    )
    found: list[tuple[float, float]] = []
    for each in drawn:
        statistic = measure(each.members, **how)
        if statistic is not None:
            found.append((statistic, each.mean_jaccard))
        if len(found) == n_sets:
            break
    if not found:
        return row
    statistics, jaccards = np.array(found).T
    return row | {
        "n_sets": len(found),
        "sets_mean_jaccard": float(jaccards.mean()),
        "sets_median": float(np.median(statistics)),
        "sets_q95": float(np.quantile(statistics, 0.95)),
        "p_connected": float(p_values([observed], statistics[:, None])[0]),
    }
