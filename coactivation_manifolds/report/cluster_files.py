"""The files of one cluster: figures in both bases, its components, its points and its page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.figures.cluster_panel import draw_cluster_panel
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import ClusterView, look_at_cluster
from coactivation_manifolds.geometry.clusters import check_size, find_cluster, read_clusters, read_decoder
from coactivation_manifolds.geometry.pca import ACTIVATIONS, Axes
from coactivation_manifolds.report.cluster_page import write_cluster_page
from coactivation_manifolds.schemas import N_COMPONENTS, POINTS, conform
from coactivation_manifolds.storage import PathLike, write_arrays, write_table

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

logger = logging.getLogger(__name__)


def plot_cluster_pca(
    clustering: str,
    cluster: int,
    *,
    summary_path: PathLike,
    index: FeatureIndex,
    decoder_path: PathLike | None,
    vocab_path: PathLike | None,
    latent_tokens_path: PathLike | None,
    settings: Mapping[str, Any],
    folder: PathLike,
) -> None:
    """Write ``pca.png``, ``pca_activations.png``, ``pca.npz``, ``points.parquet`` and ``cluster.html`` of one cluster.

    Parameters
    ----------
    clustering, cluster
        Its name and the cluster's number.
    summary_path
        ``clusters_summary.parquet`` of the clustering.
    index
        The experiment's index.
    decoder_path, vocab_path, latent_tokens_path
        Where there are any. Without a decoder both figures show the basis of activations.
    settings
        ``min_active``, ``min_points``, ``positions``, ``max_points_drawn``, ``max_size_on_request``, ``seed``.
    folder
        Where to write. Nothing is written before all checks have passed.

    Raises
    ------
    ResultsError
        No such cluster, too many latents, too few points, or points that are all alike.

    """
    record = find_cluster(read_clusters(summary_path), clustering, cluster)
    check_size(record, clustering, settings)
    decoder = read_decoder(decoder_path, n_latents=index.n_latents)
    names = TokenNames.read(vocab_path, latent_tokens_path)
    view = look_at_cluster(record, clustering, index=index, decoder=decoder, settings=settings)
    target = Path(folder)
    write_cluster_page(view, names, target / "cluster.html", index=index)
    write_points(view, names, target / "points.parquet")
    write_components(view, target / "pca.npz")
    draw_cluster_panel(view, names, target / "pca_activations.png", basis=ACTIVATIONS)
    draw_cluster_panel(view, names, target / "pca.png", basis=view.basis)
    logger.info("drew cluster %s of %s: %d points", record.name, clustering, view.n_points)


def write_components(view: ClusterView, path: PathLike) -> None:
    """Write ``pca.npz``: the components of ``pca.png`` under plain names, those of the activations as ``act_*``.

    Enough to project other tokens: ``(activations - latent_mean) @ latent_weights.T``.
    """
    arrays: dict[str, npt.ArrayLike] = {
        "members": np.asarray(view.record.members, dtype=np.int64),
        "basis": np.array(view.basis),
        "n_points": np.int64(view.n_points),
        "min_active": np.int64(view.settings["min_active"]),
    }
    arrays |= _component_arrays("", view.axes[view.basis])
    arrays |= _component_arrays("act_", view.axes[ACTIVATIONS])
    write_arrays(arrays, path)


def _component_arrays(prefix: str, axes: Axes) -> dict[str, npt.ArrayLike]:
    values: dict[str, npt.ArrayLike] = {
        "mean": axes.mean,
        "loadings": axes.loadings,
        "eigenvalues": axes.eigenvalues,
        "total_variance": np.float64(axes.total_variance),
        "latent_mean": axes.latent_mean,
        "latent_weights": axes.latent_weights,
    }
    return {prefix + name: value for name, value in values.items()}


def write_points(view: ClusterView, names: TokenNames, path: PathLike) -> None:
    """Write ``points.parquet``: all points, with their scores in the basis of ``pca.png`` (named in the footer)."""
    scores = view.scores[view.basis]
    nothing = [None] * view.n_points
    columns: dict[str, object] = {"token_row": view.points.token_rows}
    for i in range(N_COMPONENTS):
        columns[f"pc{i + 1}"] = scores[:, i] if i < scores.shape[1] else nothing
    for kind, ids in (("token", view.token_ids), ("next_token", view.next_token_ids)):
        columns[f"{kind}_id"] = nothing if ids is None else _nullable(ids)
        columns[kind] = nothing if ids is None else names.texts(ids)
    columns["position_in_doc"] = nothing if view.positions is None else _nullable(view.positions)
    metadata = {"basis": view.basis, "clustering": view.clustering, "cluster": view.record.name}
    write_table(conform(columns, POINTS), path, metadata=metadata)


def _nullable(values: npt.NDArray[np.int64]) -> list[int | None]:
    return [value if value >= 0 else None for value in values.tolist()]
