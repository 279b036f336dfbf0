"""All clusters of a clustering that have a shape to look at, drawn in one job, with an index page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from coactivation_manifolds.figures.cluster_panel import draw_cluster_panel
from coactivation_manifolds.figures.thumbnail import draw_thumbnail
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.cluster_view import look_at_points
from coactivation_manifolds.geometry.clusters import (
    ALL_ALIKE,
    ClusterRecord,
    in_size_bounds,
    point_rule,
    read_clusters,
    read_decoder,
    why_not_drawn,
)
from coactivation_manifolds.geometry.points import find_points
from coactivation_manifolds.report.cluster_files import write_components
from coactivation_manifolds.report.cluster_page import write_cluster_page
from coactivation_manifolds.report.cluster_rows import ClusterTableRow, member_tokens
from coactivation_manifolds.report.templates import render
from coactivation_manifolds.storage import PathLike, write_text

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

logger = logging.getLogger(__name__)

MAX_LISTED = 2_000
"""Clusters that are not drawn, listed on the page at most."""


def draw_atlas(
    clustering: str,
    *,
    summary_path: PathLike,
    index: FeatureIndex,
    decoder_path: PathLike | None,
    vocab_path: PathLike | None,
    latent_tokens_path: PathLike | None,
    settings: Mapping[str, Any],
    atlas_folder: PathLike,
) -> None:
    """Write ``index.html``, and the folder of each drawn cluster (figure, components, page, thumbnail).

    Parameters
    ----------
    clustering
        Its name.
    summary_path
        ``clusters_summary.parquet``.
    index
        The experiment's index.
    decoder_path, vocab_path, latent_tokens_path
        Where there are any.
    settings
        As in ``measure_clusters``, with ``max_points_drawn`` and ``seed``.
    atlas_folder
        The folder to write into; each file is complete or absent.

    """
    folder = Path(atlas_folder)
    clusters = read_clusters(summary_path)
    decoder = read_decoder(decoder_path, n_latents=index.n_latents)
    names = TokenNames.read(vocab_path, latent_tokens_path)
    rows = []
    for record in clusters:
        rows.append(
            draw_one(record, clustering, index=index, decoder=decoder, names=names, settings=settings, folder=folder)
        )
        index.forget_pages()
    drawn = [row for row in rows if row.reason is None]
    page = render(
        "atlas.html",
        title=f"All clusters of {clustering}",
        clustering=clustering,
        drawn=drawn,
        listed=[row for row in rows if row.reason is not None][:MAX_LISTED],
        n_listed=len(rows) - len(drawn),
        settings=settings,
        rule=point_rule(settings, None),
    )
    write_text(page, folder / "index.html")
    logger.info("drew %d of %d clusters of %s", len(drawn), len(rows), clustering)


def draw_one(
    record: ClusterRecord,
    clustering: str,
    *,
    index: FeatureIndex,
    decoder: npt.NDArray[Any] | None,
    names: TokenNames,
    settings: Mapping[str, Any],
    folder: Path,
) -> ClusterTableRow:
    """Draw one cluster, or say why not."""
    members, n_more = member_tokens(record, names)
    if not in_size_bounds(record, settings):
        return ClusterTableRow(record, members, n_more, None, None, why_not_drawn(record, None, settings))
    points = find_points(index, record.members, min_active=settings["min_active"], positions=settings["positions"])
    reason = why_not_drawn(record, len(points), settings)
    view = look_at_points(record, clustering, points, decoder=decoder, settings=settings) if reason is None else None
    if view is None:
        return ClusterTableRow(record, members, n_more, len(points), None, reason or ALL_ALIKE)
    target = folder / f"cluster={record.name}"
    write_components(view, target / "pca.npz")
    write_cluster_page(view, names, target / "cluster.html", index=index)
    draw_thumbnail(view, names, target / "thumbnail.png")
    draw_cluster_panel(view, names, target / "pca.png", basis=view.basis)
    return ClusterTableRow(
        record,
        members,
        n_more,
        len(points),
        float(view.axes[view.basis].evr[:2].sum()),
        None,
        page=f"{target.name}/cluster.html",
        figure=f"{target.name}/pca.png",
        thumbnail=f"{target.name}/thumbnail.png",
    )
