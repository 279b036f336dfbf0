"""The page that a person opens first: what was run, what was found, how far to trust it, and how to make it again."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.clustering.sweep import suggest_threshold
from coactivation_manifolds.experiment.config import geometry_settings, has_decoder, is_imported
from coactivation_manifolds.figures.token_names import TokenNames
from coactivation_manifolds.geometry.clusters import (
    ALL_ALIKE,
    ClusterRecord,
    in_size_bounds,
    point_rule,
    read_clusters,
    why_not_drawn,
)
from coactivation_manifolds.provenance import versions
from coactivation_manifolds.report.by_chance import compare_with_controls
from coactivation_manifolds.report.cluster_rows import ClusterTableRow, member_tokens, plane_share
from coactivation_manifolds.report.finds import shape_words
from coactivation_manifolds.report.found_shapes import found_shapes, tested_counts
from coactivation_manifolds.report.reproduce import command, config_text
from coactivation_manifolds.report.templates import image_data, render
from coactivation_manifolds.storage import PathLike, read_json, read_table, write_text

logger = logging.getLogger(__name__)

MAX_THUMBNAILS = 500
"""Thumbnails that stand in the page itself (about 6 kB each)."""
MAX_LISTED = 1_000
"""Clusters that are not drawn, listed on the page at most."""
BINS = 10


def write_report(
    *,
    config: Mapping[str, Any],
    experiment_path: PathLike,
    totals_path: PathLike,
    sweep_path: PathLike,
    elbow_path: PathLike,
    tail_path: PathLike,
    summary_path: PathLike,
    scores_path: PathLike,
    atlas_folder: PathLike,
    latent_tokens_path: PathLike | None,
    vocab_path: PathLike | None,
    shifts_path: PathLike | None,
    planted: Sequence[PathLike] | None,
    finds_path: PathLike,
    finds_summary_path: PathLike,
    gallery_folder: PathLike,
    report_path: PathLike,
) -> None:
    """Write ``report.html``: one page without anything loaded from elsewhere; the clusters' own pages are linked.

    Parameters
    ----------
    config
        The experiment's full configuration.
    experiment_path, totals_path
        ``experiment.json`` and ``totals.json``.
    sweep_path, elbow_path, tail_path
        The sweep's table and figure, and the figure of the similarity's tail.
    summary_path, scores_path, atlas_folder
        Of the headline clustering.
    latent_tokens_path, vocab_path
        Where there are any.
    shifts_path
        ``shift_summary.parquet``, where there are shifted controls.
    planted
        The check of the planted truth and its figure; empty where nothing was planted.
    finds_path, finds_summary_path, gallery_folder
        The shapes found over the sweep, how many by what, and their figures.
    report_path
        The page to write.

    """
    report = Path(report_path)
    settings = geometry_settings(dict(config))
    names = TokenNames.read(vocab_path, latent_tokens_path)
    clusters = read_clusters(summary_path)
    scores = {row["cluster_id"]: row for row in read_table(scores_path).to_pylist()}
    rows = table_rows(clusters, scores, names, settings=settings, atlas=Path(atlas_folder), report=report)
    drawn = [row for row in rows if row.reason is None]
    listed = [row for row in rows if row.reason is not None]
    n_tested, not_tested = tested_counts(rows)
    sweep = read_table(sweep_path)
    suggested, reason = suggest_threshold(sweep)
    headline = config["clustering"]["headline"]
    page = render(
        "report.html",
        title=f"{config['name']}: co-activation clusters",
        config=config,
        headline=headline,
        experiment=read_json(experiment_path),
        totals=read_json(totals_path),
        shapes=found_shapes(finds_path, finds_summary_path, gallery_folder, report=report),
        has_decoder=has_decoder(dict(config)),
        n_tested=n_tested,
        not_tested=not_tested,
        imported=is_imported(dict(config)),
        rule=point_rule(settings),
        settings=settings | {"max_q": config["shapes"]["max_q"]},
        drawn=drawn,
        listed=listed[:MAX_LISTED],
        n_listed=len(listed),
        on_request=drawn_on_request(listed, settings, config["geometry"]["max_size_on_request"]),
        atlas=os.path.relpath(Path(atlas_folder) / "index.html", report.parent),
        sweep=sweep_rows(sweep, headline=headline, suggested=suggested),
        suggested=suggested,
        reason=reason,
        elbow=image_data(elbow_path),
        tail=image_data(tail_path),
        comparison=compare_with_cosine(clusters),
        by_chance=compare_with_controls(shifts_path, headline=headline),
        planted=read_planted(planted),
        command=command(config["name"]),
        versions=versions(),
        config_text=config_text(config),
    )
    write_text(page, report)
    logger.info("wrote %s: %d clusters drawn, %d listed", report, len(drawn), len(listed))


def drawn_on_request(
    listed: Sequence[ClusterTableRow], settings: Mapping[str, Any], max_size_on_request: int
) -> str | None:
    """The name of the first listed cluster that can be asked for by name; None where there is none."""
    records = (row.record for row in listed)
    able = (r.name for r in records if r.size <= max_size_on_request and not in_size_bounds(r, settings))
    return next(able, None)


def table_rows(
    clusters: Sequence[ClusterRecord],
    scores: Mapping[int, Mapping[str, Any]],
    names: TokenNames,
    *,
    settings: Mapping[str, Any],
    atlas: Path,
    report: Path,
) -> list[ClusterTableRow]:
    """One row for each cluster, with links into the atlas for those that it drew."""
    rows = []
    n_thumbnails = 0
    for record in clusters:
        score = scores.get(record.cluster_id, {})
        n_points = score.get("n_points")
        reason = why_not_drawn(record, n_points, settings)
        folder = atlas / f"cluster={record.name}"
        if reason is None and not (folder / "pca.png").exists():
            reason = ALL_ALIKE
        members, n_more = member_tokens(record, names)
        if reason is not None:
            rows.append(ClusterTableRow(record, members, n_more, n_points, None, reason))
            continue
        link = os.path.relpath(folder, report.parent)
        thumbnail = folder / "thumbnail.png"
        n_thumbnails += 1
        rows.append(
            ClusterTableRow(
                record,
                members,
                n_more,
                n_points,
                plane_share(score),
                None,
                page=f"{link}/cluster.html",
                figure=f"{link}/pca.png",
                thumbnail=image_data(thumbnail) if n_thumbnails <= MAX_THUMBNAILS and thumbnail.exists() else "",
                called=shape_words(score.get("shape"), score.get("n_vertices")),
                q=score.get("q_value"),
            )
        )
    return rows


def sweep_rows(sweep: pa.Table, *, headline: str, suggested: str | None) -> list[dict[str, Any]]:
    """The sweep's table, with what each clustering is to the reader."""

    def role(name: str, threshold: float | None) -> str:
        is_automatic = parse_spec(name).automatic
        parts = {
            f"at Jaccard {threshold}, chosen by its rule": is_automatic,
            "suggested": name == suggested,
            "this report": name == headline,
        }
        return ", ".join(part for part, holds in parts.items() if holds)

    return [{**row, "role": role(row["clustering"], row["threshold"])} for row in sweep.to_pylist()]


def compare_with_cosine(clusters: Sequence[ClusterRecord]) -> dict[str, Any] | None:
    """How many clusters a clustering by decoder cosine misses, and how well it matches them; None without a comparison.

    ``bins`` holds (label, count, share of the largest count, whether below one half) for ten bins of the best match.
    """
    compared = [record for record in clusters if record.missed_by_cosine is not None]
    if not compared:
        return None
    best = [record.cosine_best_jaccard or 0.0 for record in compared]
    counts = [0] * BINS
    for value in best:
        counts[min(BINS - 1, int(value * BINS))] += 1
    return {
        "n": len(compared),
        "n_missed": sum(bool(record.missed_by_cosine) for record in compared),
        "mean_best": sum(best) / len(best),
        "bins": [
            (f"{i / BINS:.1f}–{(i + 1) / BINS:.1f}", count, count / max(1, *counts), i < BINS // 2)
            for i, count in enumerate(counts)
        ],
    }


def read_planted(planted: Sequence[PathLike] | None) -> dict[str, Any] | None:
    """The check of the planted truth for the page: lines, a table, a figure; None where nothing was planted."""
    if not planted:
        return None
    check_path, figure_path = planted
    check = read_json(check_path)
    table = check.get("table") or []
    columns = list(dict.fromkeys(key for row in table for key in row))
    return {
        "lines": check.get("summary_lines") or [],
        "columns": columns,
        "rows": [[row.get(column) for column in columns] for row in table],
        "losses": check.get("losses") or {},
        "figure": image_data(figure_path),
    }
