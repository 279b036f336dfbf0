"""The demo's final check: are the planted ring and the planted belief state read from the clusters that were found?"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from coactivation_manifolds.figures.planted import draw_planted
from coactivation_manifolds.geometry.pca import one_blas_thread
from coactivation_manifolds.schemas import PLANTED_TRUTH, require_columns
from coactivation_manifolds.storage import PathLike, read_array, read_json, read_table, write_json
from coactivation_manifolds.training.planted_controls import measure_controls
from coactivation_manifolds.training.planted_corpus import RING, SIMPLEX
from coactivation_manifolds.training.planted_readings import (
    FloatArray,
    ProcessTruth,
    Reading,
    locate_truth,
    read_latents,
)
from coactivation_manifolds.training.planted_view import cluster_view, ring_shape

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

log = logging.getLogger(__name__)
PLANTED = {"ring": RING, "simplex": SIMPLEX}
READS = {"ring": "the planted ring", "simplex": "the planted belief state"}


@dataclass(frozen=True)
class BestCluster:
    """The cluster that reads a planted process best.

    Attributes
    ----------
    cluster_id, members
        Which cluster.
    reading
        How well it reads the process.
    missed_by_cosine
        As in the clustering's summary; None without a comparison.

    """

    cluster_id: int
    members: list[int]
    reading: Reading
    missed_by_cosine: bool | None


def check_planted_truth(
    truth_path: PathLike,
    *,
    summary_path: PathLike,
    index: FeatureIndex,
    decoder_path: PathLike,
    feature_counts_path: PathLike,
    losses_path: PathLike,
    clustering: str,
    settings: Mapping[str, Any],
    min_firings: int,
    seed: int,
    check_path: PathLike,
    figure_path: PathLike,
) -> None:
    """Compare the clusters of one clustering with the planted truth, and draw the two that read it best.

    Parameters
    ----------
    truth_path
        schemas.PLANTED_TRUTH of the harvested documents; no other stage reads it.
    summary_path
        clusters_summary.parquet of the clustering.
    index
        The activations.
    decoder_path, feature_counts_path, losses_path
        decoder.npy, feature_counts.parquet, model_losses.json.
    clustering
        Name of the clustering, for the record.
    settings
        ``min_active``, members that fire on a token for it to be a point, and ``positions``, where in the document.
    min_firings
        Latents that fire less often are not drawn as controls.
    seed
        Of the controls.
    check_path, figure_path
        Written: the numbers, and the figure.

    Raises
    ------
    ResultsError
        Truth and activations are of different runs.

    """
    truth = read_table(truth_path)
    require_columns(truth, PLANTED_TRUTH, str(truth_path))
    summary = read_table(summary_path, columns=["cluster_id", "members", "missed_by_cosine"])
    decoder = read_array(decoder_path).astype(np.float64)
    counts = read_table(feature_counts_path, columns=["count"]).column("count").to_numpy()
    tokens = index.tokens(np.arange(index.n_tokens, dtype=np.int64))
    min_active = settings["min_active"]
    found: dict[str, Any] = {}
    controls: dict[str, Any] = {}
    views: dict[str, Any] = {}
    with one_blas_thread():
        for key, process in PLANTED.items():
            located = locate_truth(truth, tokens, name=process, positions=settings["positions"])
            best = best_cluster(located, index, summary, decoder=decoder, min_active=min_active)
            if best is None:
                found[key], controls[key], views[key] = None, None, None
                continue
            controls[key] = measure_controls(
                located,
                index,
                best.members,
                decoder=decoder,
                counts=counts,
                min_firings=min_firings,
                min_active=min_active,
                seed=seed,
            )
            views[key] = cluster_view(located, index, best.members, decoder=decoder, min_active=min_active)
            found[key] = describe(best, located)
            if key == "ring":
                found[key] |= ring_shape(views[key])
    draw_planted(views, found, clustering=clustering, settings=settings, path=figure_path)
    losses = read_json(losses_path)["held_out"]
    write_json(assemble(found, controls, summary, losses, clustering=clustering, min_active=min_active), check_path)


def best_cluster(
    truth: ProcessTruth, index: FeatureIndex, summary: pa.Table, *, decoder: FloatArray, min_active: int
) -> BestCluster | None:
    """The cluster whose points explain most of the process's belief on even documents; None where none explains any."""
    best: BestCluster | None = None
    for row in summary.to_pylist():
        members = [int(member) for member in row["members"]]
        reading = read_latents(truth, index, members, decoder=decoder, min_active=min_active)
        if reading.choice > (best.reading.choice if best else 0.0):
            best = BestCluster(int(row["cluster_id"]), members, reading, row["missed_by_cosine"])
    return best


def describe(best: BestCluster, truth: ProcessTruth) -> dict[str, Any]:
    """A best cluster as it stands in check.json."""
    reading = {key: value for key, value in asdict(best.reading).items() if key != "choice"}
    return {
        "cluster_id": best.cluster_id,
        "size": len(best.members),
        "members": best.members,
        "missed_by_cosine": best.missed_by_cosine,
        "process": truth.name,
        "n_process_tokens": len(truth.token_rows),
        **reading,
    }


def assemble(
    found: Mapping[str, Any],
    controls: Mapping[str, Any],
    summary: pa.Table,
    losses: Mapping[str, Any],
    *,
    clustering: str,
    min_active: int,
) -> dict[str, Any]:
    """Everything of check.json."""
    missed = summary.column("missed_by_cosine").to_pylist()
    n_missed = sum(bool(value) for value in missed)
    compared = sum(value is not None for value in missed)
    return {
        "clustering": clustering,
        "min_active": min_active,
        "ring": found["ring"],
        "simplex": found["simplex"],
        "controls": dict(controls),
        "n_missed_by_cosine": n_missed if compared else None,
        "n_clusters": summary.num_rows,
        "losses": dict(losses),
        "summary_lines": summary_lines(found, n_missed if compared else None, summary.num_rows, clustering=clustering),
        "table": table_rows(found, controls),
    }


def summary_lines(found: Mapping[str, Any], n_missed: int | None, n_clusters: int, *, clustering: str) -> list[str]:
    """The three lines that a person wants at the end of a run."""
    lines = []
    for key, what in READS.items():
        cluster = found[key]
        if cluster is None:
            lines.append(f"{what}: no cluster of {clustering} reads it")
            continue
        lines.append(
            f"{what}: cluster {cluster['cluster_id']:04d}, {cluster['size']} latents, "
            f"R2 {_number(cluster['r2'])} on held-out documents "
            f"(purity {_number(cluster['purity'])}, coverage {_number(cluster['coverage'])})"
        )
    if n_missed is None:
        lines.append(f"missed by cosine: not compared ({n_clusters} clusters)")
    else:
        lines.append(f"missed by cosine: {n_missed} of {n_clusters} clusters")
    return lines


def table_rows(found: Mapping[str, Any], controls: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the report's table: each best cluster, then its controls."""
    rows: list[dict[str, Any]] = []
    for key, cluster in found.items():
        if cluster is None:
            continue
        rows.append(
            {
                "planted": key,
                "latents": f"cluster {cluster['cluster_id']:04d}",
                "size": cluster["size"],
                "R2": _rounded(cluster["r2"]),
                "R2, all tokens of the process": _rounded(cluster["r2_all_tokens"]),
                "purity": _rounded(cluster["purity"]),
                "coverage": _rounded(cluster["coverage"]),
            }
        )
        rows += [_control_row(key, cluster["size"], name, controls[key][name]) for name in ("random", "matched")]
    return rows


def _control_row(key: str, size: int, name: str, control: Mapping[str, Any]) -> dict[str, Any]:
    what = {"random": "random live latents", "matched": "same firing counts, outside the cluster"}[name]
    return {
        "planted": key,
        "latents": f"{what} ({control['n_sets']} sets)",
        "size": size,
        "R2": _of_scored(control),
        "R2, all tokens of the process": _mean_and_max(control["r2_all_tokens"]),
        "purity": None,
        "coverage": _mean_and_max(control["coverage"]),
    }


def _of_scored(control: Mapping[str, Any]) -> str:
    """R2 on the sets' own points, and how many sets have points enough for one: most have none."""
    summary = _mean_and_max(control["r2"])
    few = f"{control['n_scored']} of {control['n_sets']} sets have points enough"
    return few if summary is None else f"{summary}; {few}"


def _mean_and_max(summary: Mapping[str, float] | None) -> str | None:
    return None if summary is None else f"{summary['mean']:.3f} (largest {summary['max']:.3f})"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
