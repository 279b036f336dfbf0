"""Everything that is known of one cluster, gathered once for its figures, its files and its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.geometry.clusters import ClusterRecord, check_points, member_rows
from coactivation_manifolds.geometry.pca import (
    ACTIVATIONS,
    RECONSTRUCTION,
    Axes,
    axes_reconstruction,
    axes_restricted,
    gather_moments,
    one_blas_thread,
)
from coactivation_manifolds.geometry.points import Points, find_points

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClusterView:
    """One cluster: its points, their principal components, and the tokens behind them.

    Attributes
    ----------
    clustering, record, settings
        Which cluster, and what decided its points.
    points
        All points.
    n_active
        int64 [n]: how many members fire on each point.
    axes, scores
        By basis (``activations``, and ``reconstruction`` where there is a decoder): the axes, and the scores of all
        points [n, p].
    token_ids, next_token_ids
        Of all points, -1 where there is none; None where the activations come without token ids.
    positions
        Position in the document of all points, -1 where unknown; None where all are.
    sample
        Indices of the points to draw, ascending; all of them up to ``max_points_drawn``, else a seeded sample.

    """

    clustering: str
    record: ClusterRecord
    settings: Mapping[str, Any]
    points: Points
    n_active: Ids
    axes: Mapping[str, Axes]
    scores: Mapping[str, npt.NDArray[np.float64]]
    token_ids: Ids | None
    next_token_ids: Ids | None
    positions: Ids | None
    sample: Ids

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.points)

    @property
    def basis(self) -> str:
        """The basis of ``pca.png``: the reconstruction, or the activations where there is no decoder."""
        return RECONSTRUCTION if RECONSTRUCTION in self.axes else ACTIVATIONS

    @cached_property
    def sample_activations(self) -> npt.NDArray[np.float64]:
        """Activations of the drawn points, [len(sample), k]."""
        return self.points.activations(self.points.token_rows[self.sample])

    @cached_property
    def active_counts(self) -> Ids:
        """How many points have 0, 1, 2, ... members firing, [k + 1]."""
        return np.bincount(self.n_active, minlength=self.record.size + 1).astype(np.int64)


def look_at_cluster(
    record: ClusterRecord,
    clustering: str,
    *,
    index: FeatureIndex,
    decoder: npt.NDArray[Any] | None,
    settings: Mapping[str, Any],
) -> ClusterView:
    """Gather one cluster in two passes over its activations (moments, then scores), in bounded memory.

    Raises
    ------
    ResultsError
        Fewer than ``min_points`` points, or all points are one and the same.

    """
    points = find_points(index, record.members, min_active=settings["min_active"], positions=settings["positions"])
    check_points(record, len(points), clustering, settings)
    view = look_at_points(record, clustering, points, decoder=decoder, settings=settings)
    if view is None:
        raise ResultsError(
            f"cluster {record.name} of {clustering} has no shape: its {len(points):,} points are one and the same"
        )
    return view


def look_at_points(
    record: ClusterRecord,
    clustering: str,
    points: Points,
    *,
    decoder: npt.NDArray[Any] | None,
    settings: Mapping[str, Any],
) -> ClusterView | None:
    """Gather what is known of a cluster's points; None where they are one and the same."""
    with one_blas_thread():
        axes = cluster_axes(record, points, decoder)
        if any(basis.n_components == 0 for basis in axes.values()):
            return None
        n_active, scores = project_points(points, axes)
    tokens = points.index.tokens(points.token_rows)
    token_ids = _known(tokens.column("token_id"))
    return ClusterView(
        clustering=clustering,
        record=record,
        settings=settings,
        points=points,
        n_active=n_active,
        axes=axes,
        scores=scores,
        token_ids=token_ids,
        next_token_ids=None if token_ids is None else _filled(points.index.next_token_ids(points.token_rows)),
        positions=_known(tokens.column("position_in_doc")),
        sample=draw_sample(len(points), settings["max_points_drawn"], seed=settings["seed"]),
    )


def cluster_axes(record: ClusterRecord, points: Points, decoder: npt.NDArray[Any] | None) -> dict[str, Axes]:
    """Principal axes in both bases, or in the activations' alone where there is no decoder."""
    moments = gather_moments(points.blocks())
    rows = member_rows(decoder, record.members)
    restricted = {ACTIVATIONS: axes_restricted(moments)}
    return restricted if rows is None else {RECONSTRUCTION: axes_reconstruction(moments, rows), **restricted}


def project_points(points: Points, axes: Mapping[str, Axes]) -> tuple[Ids, dict[str, npt.NDArray[np.float64]]]:
    """How many members fire on each point, [n], and the points' scores in each basis, [n, p]."""
    n_active: list[Ids] = []
    scores: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in axes}
    for block in points.blocks():
        n_active.append((block > 0).sum(axis=1).astype(np.int64))
        for name, basis in axes.items():
            scores[name].append(basis.project(block))
    return np.concatenate(n_active), {name: np.concatenate(parts) for name, parts in scores.items()}


def draw_sample(n_points: int, largest: int, *, seed: int) -> Ids:
    """Indices of the points to draw, ascending: all, or ``largest`` of them at random."""
    if n_points <= largest:
        return np.arange(n_points, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(n_points, largest, replace=False)).astype(np.int64)


def _filled(column: pa.Array | pa.ChunkedArray) -> Ids:
    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    return np.asarray(pc.fill_null(chunked, -1).to_numpy()).astype(np.int64)


def _known(column: pa.ChunkedArray) -> Ids | None:
    """Values with -1 for nulls; None where all are null."""
    return None if column.null_count == len(column) else _filled(column)
