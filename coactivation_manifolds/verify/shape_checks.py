"""What follows from stored p-values: values of q, what is called a shape, and in which order clusters are listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from coactivation_manifolds import paths
from coactivation_manifolds.schemas import SHAPE_NAMES
from coactivation_manifolds.storage import read_table
from coactivation_manifolds.verify.place import Place
from coactivation_manifolds.verify.repair import Problem

TOLERANCE = 1e-9
"""Relative: q is kept as a double, and derived here by another way."""

TESTED = ("p_any", "n_draws", *(f"{shape}_{what}" for shape in SHAPE_NAMES for what in ("statistic", "p")))

Row = dict[str, Any]


def check_shapes(place: Place) -> Iterator[Problem]:
    """The scores of every clustering and the finds of the sweep, against the p-values that they come from."""
    for path, wildcards in place.all_of(paths.SCORES):
        wrong = wrong_scores(place, path, wildcards["clustering"])
        if wrong is not None:
            yield place.problem(path, wrong)
    for path, _ in place.all_of(paths.FINDS):
        wrong = wrong_finds(place, path)
        if wrong is not None:
            yield place.problem(path, wrong)


def wrong_scores(place: Place, path: Path, clustering: str) -> str | None:
    """The first thing in a clustering's scores that does not follow; None where all does."""
    rows = read_table(path).to_pylist()
    tested = [row for row in rows if row["p_any"] is not None]
    tests = place.path(paths.SHAPE_TESTS, clustering=clustering)
    if tests.is_file() and not same(tested, read_table(tests).to_pylist()):
        return f"its tests are not those of {tests.name}"
    for name in ("any", *SHAPE_NAMES):
        if not follows(tested, f"{name}_q" if name != "any" else "q_any", f"{name}_p" if name != "any" else "p_any"):
            return f"its q of {name} does not follow from its p"
    if [row["q_value"] for row in tested] != [row["q_any"] for row in tested]:
        return "q_value is not q_any"
    if sorted(row["rank"] for row in rows) != list(range(1, len(rows) + 1)):
        return "its ranks are not one of each"
    return wrong_calls(place, path, sorted(rows, key=lambda row: row["rank"]))


def wrong_finds(place: Place, path: Path) -> str | None:
    """The first thing in the finds of a sweep that does not follow; None where all does."""
    rows = read_table(path).to_pylist()
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        families[row["graph"]].append(row)
    for graph, family in families.items():
        if not follows(family, "q_value", "p_any"):
            return f"its q by {graph} does not follow from p_any"
    if [row["find_id"] for row in rows] != list(range(len(rows))):
        return "its finds are not numbered in order"
    return wrong_calls(place, path, rows)


def same(rows: Sequence[Row], tests: Sequence[Row]) -> bool:
    """Whether rows hold the clusters of tests, each with the same numbers."""
    by_cluster = {test["cluster_id"]: test for test in tests}
    if len(rows) != len(tests) or any(row["cluster_id"] not in by_cluster for row in rows):
        return False
    pairs = [(row[name], by_cluster[row["cluster_id"]][name]) for row in rows for name in TESTED]
    one, other = np.array(pairs, np.float64).reshape(-1, 2).T
    return bool(np.array_equal(one, other, equal_nan=True))


def follows(rows: Sequence[Row], q: str, p: str) -> bool:
    """Whether a column of q is Benjamini and Hochberg's of a column of p."""
    if not rows:
        return True
    derived = false_discovery_control(np.array([row[p] for row in rows], np.float64))
    return bool(np.allclose(derived, np.array([row[q] for row in rows], np.float64), rtol=TOLERANCE, atol=0))


def wrong_calls(place: Place, path: Path, rows: Sequence[Row]) -> str | None:
    """Shapes stand before all others, by q, and none has a larger q than its job was told to call."""
    called = [row["shape"] in SHAPE_NAMES for row in rows]
    if called != sorted(called, reverse=True):
        return "a shape stands behind what is none"
    q = [row["q_value"] for row, is_called in zip(rows, called, strict=True) if is_called]
    if q != sorted(q):
        return "its shapes are not in the order of q"
    params = place.params_of(path) or {}
    if q and q[-1] > float(params.get("max_q", 1.0)):
        return f"calls a shape of q {q[-1]:.3g}, the largest allowed is {params['max_q']}"
    return None
