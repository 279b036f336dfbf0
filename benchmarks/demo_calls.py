"""What a run of the demo calls: its planted ring and triangle, and whether the background is left alone.

Everything is read from the experiment's results; nothing is computed that a stage has computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds import paths
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.experiment.config import geometry_settings, load_experiment
from coactivation_manifolds.geometry.points import cluster_points
from coactivation_manifolds.schemas import SHAPE_NAMES
from coactivation_manifolds.storage import read_json, read_table
from coactivation_manifolds.training.planted_corpus import RING, SIMPLEX
from coactivation_manifolds.training.planted_readings import ProcessTruth, locate_truth

__all__ = ["calls_of", "find_of", "goes_round_once", "is_right", "read_calls"]

GRAPH = "coactivation"
PROCESSES = {"ring": RING, "simplex": SIMPLEX}
RIGHT = {"ring": ("circle", None), "simplex": ("simplex", 3)}
MAX_Q = 0.05
SAME_PLACE = 11.25
"""Latents whose true angles are nearer than this, half a compass word, may stand in either order (degrees)."""

Row = Mapping[str, Any]
Truths = Mapping[str, ProcessTruth]


def read_calls(name: str) -> dict[str, Any]:
    """The calls of one experiment among the finds of co-activation; see ``calls_of``."""
    config = load_experiment(name)
    settings = geometry_settings(config)
    finds = read_table(paths.fill(paths.FINDS, experiment=name))
    record = footer(finds.schema)
    truth = read_table(paths.fill(paths.PLANTED_TRUTH, experiment=name))
    index = FeatureIndex.open(paths.fill(paths.INDEX_OFFSETS, experiment=name))
    tokens = index.tokens(np.arange(index.n_tokens, dtype=np.int64))
    truths = {
        key: locate_truth(truth, tokens, name=process, positions=settings["positions"])
        for key, process in PROCESSES.items()
    }
    rows = [row for row in finds.to_pylist() if row["graph"] == GRAPH]
    shapes = {
        clustering: read_json(paths.fill(paths.SHAPES_JSON, experiment=name, clustering=clustering))
        for clustering in sorted({row["clustering"] for row in rows})
    }
    return calls_of(
        rows,
        check=read_json(paths.fill(paths.PLANTED_CHECK, experiment=name)),
        shapes=shapes,
        truths=truths,
        index=index,
        min_active=settings["min_active"],
        alike=config["finds"]["alike"],
    ) | {
        "n_tested": int(record[f"n_tested_{GRAPH}"]),
        "smallest_q": float(record[f"smallest_q_{GRAPH}"] or "nan"),
    }


def calls_of(
    finds: Sequence[Row],
    *,
    check: Row,
    shapes: Mapping[str, Row],
    truths: Truths,
    index: FeatureIndex,
    min_active: int,
    alike: float,
) -> dict[str, Any]:
    """What the planted clusters are called, and how many other calls there are, by the process they fire on.

    Parameters
    ----------
    finds
        Rows of ``finds.parquet`` of one family.
    check
        ``planted/check.json``: the clusters that read the planted truth best.
    shapes
        ``shapes.json`` of each clustering that finds stand in.
    truths, index, min_active
        The tokens and beliefs of each planted process, the activations, and what a point is.
    alike
        Least Jaccard of a find with a planted cluster.

    Returns
    -------
    dict
        ``ring`` and ``simplex``: ``shape``, ``n_vertices``, ``q_value``, ``size``, and for a circle ``in_order``
        (whether its latents stand as their true angles do); None where no find is alike to the cluster. ``others``:
        called finds beside these two, by the process on which most of their points lie.

    """
    found: dict[str, Any] = {}
    known: list[int] = []
    for key in PROCESSES:
        find = find_of(check[key], finds, alike=alike)
        found[key] = None
        if find is None:
            continue
        known.append(find["find_id"])
        found[key] = {name: find[name] for name in ("shape", "n_vertices", "q_value", "size")}
        if find["shape"] == "circle":
            described = shapes[find["clustering"]][f"{find['cluster_id']:04d}"]
            found[key]["in_order"] = goes_round_once(true_angles(described["latents"], truths["ring"], index))
    others = [row for row in finds if row["shape"] in SHAPE_NAMES and row["find_id"] not in known]
    fired_on = [process_of(row["members"], truths, index, min_active=min_active) for row in others]
    return {**found, "others": {key: fired_on.count(key) for key in (*PROCESSES, "background")}}


def is_right(calls: Row, key: str) -> bool:
    """Whether a planted cluster is called what it is, at q <= 0.05, and a ring's latents stand in order."""
    call = calls[key]
    if call is None or call["q_value"] > MAX_Q or (call["shape"], call["n_vertices"]) != RIGHT[key]:
        return False
    return bool(call.get("in_order", True))


def find_of(cluster: Row | None, finds: Sequence[Row], *, alike: float) -> Row | None:
    """The find whose latents are most like those of a cluster; None where none has a Jaccard of ``alike``."""
    if cluster is None:
        return None
    own = set(cluster["members"])

    def jaccard(find: Row) -> float:
        return len(own & set(find["members"])) / len(own | set(find["members"]))

    best = max(finds, key=jaccard, default=None)
    return best if best is not None and jaccard(best) >= alike else None


def true_angles(latents: Sequence[int], truth: ProcessTruth, index: FeatureIndex) -> npt.NDArray[np.float64]:
    """The angle in degrees of each latent's mean exact belief over the ring's tokens, weighted by activation."""
    rows = cluster_points(index, latents, min_active=1, positions=truth.positions)
    _, here, there = np.intersect1d(rows.token_rows, truth.token_rows, assume_unique=True, return_indices=True)
    belief = truth.beliefs[there] @ np.array([1, 1j])
    return np.degrees(np.angle(rows.activations[here].astype(np.float64).T @ belief))


def goes_round_once(degrees: npt.ArrayLike, *, same_place: float = SAME_PLACE) -> bool:
    """Whether angles in a cyclic order, either way, go round once, but for steps back of less than ``same_place``."""
    turns = np.asarray(degrees, dtype=np.float64)
    steps = np.diff(np.append(turns, turns[:1]))
    ways = [(way * steps + same_place) % 360 - same_place for way in (1, -1)]
    return any(round(float(way.sum()) / 360) == 1 for way in ways)


def process_of(members: Sequence[int], truths: Truths, index: FeatureIndex, *, min_active: int) -> str:
    """The planted process, or the background, on which most of a set's points lie."""
    positions = truths["ring"].positions
    rows = cluster_points(index, members, min_active=min_active, positions=positions).token_rows
    counts = {key: int(np.isin(rows, truth.token_rows).sum()) for key, truth in truths.items()}
    counts["background"] = len(rows) - sum(counts.values())
    return max(counts, key=lambda key: counts[key])
