"""Numbers of every cluster within the size bounds: its points, and how its variance is shared among components."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.geometry.clusters import (
    ClusterRecord,
    in_size_bounds,
    member_rows,
    read_clusters,
    read_decoder,
)
from coactivation_manifolds.geometry.pca import (
    Axes,
    axes_reconstruction,
    axes_restricted,
    gather_moments,
    one_blas_thread,
)
from coactivation_manifolds.geometry.points import find_points
from coactivation_manifolds.schemas import N_COMPONENTS, VARIANCE, conform
from coactivation_manifolds.storage import PathLike, write_table

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

logger = logging.getLogger(__name__)


def measure_clusters(
    summary_path: PathLike,
    *,
    index: FeatureIndex,
    decoder_path: PathLike | None,
    settings: Mapping[str, Any],
    variance_path: PathLike,
) -> None:
    """Write ``variance.parquet``: one row for each cluster within the size bounds, in the order of the summary.

    Parameters
    ----------
    summary_path
        ``clusters_summary.parquet`` of the clustering.
    index
        The experiment's index.
    decoder_path
        ``decoder.npy``, or nothing where there is none; the columns ``evr_recon_*`` are then null.
    settings
        ``min_active``, ``min_points``, ``positions``, ``min_size``, ``max_size``.
    variance_path
        Where to write. Shares of variance are null for clusters with fewer than ``min_points`` points and for
        components that do not exist (points that span fewer dimensions, or are all alike).

    """
    clusters = [record for record in read_clusters(summary_path) if in_size_bounds(record, settings)]
    decoder = read_decoder(decoder_path, n_latents=index.n_latents)
    rows = []
    with one_blas_thread():
        for record in clusters:
            rows.append(measure_cluster(record, index=index, decoder=decoder, settings=settings))
            index.forget_pages()
    columns = {field.name: [row.get(field.name) for row in rows] for field in VARIANCE}
    write_table(conform(columns, VARIANCE), variance_path)
    few = sum(row["n_points"] < settings["min_points"] for row in rows)
    logger.info("measured %d clusters, %d of them with fewer than %d points", len(rows), few, settings["min_points"])


def measure_cluster(
    record: ClusterRecord, *, index: FeatureIndex, decoder: npt.NDArray[Any] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """One row of ``variance.parquet``; components that do not exist are left out."""
    points = find_points(index, record.members, min_active=settings["min_active"], positions=settings.get("positions"))
    row: dict[str, Any] = {"cluster_id": record.cluster_id, "n_points": len(points)}
    if len(points) < max(1, settings["min_points"]):
        return row
    moments = gather_moments(points.blocks())
    rows = member_rows(decoder, record.members)
    if rows is not None:
        row |= _shares("recon", axes_reconstruction(moments, rows))
    return row | _shares("act", axes_restricted(moments))


def _shares(basis: str, axes: Axes) -> dict[str, float]:
    shares = np.asarray(axes.evr)[:N_COMPONENTS]
    return {f"evr_{basis}_pc{i}": float(share) for i, share in enumerate(shares, start=1)}
