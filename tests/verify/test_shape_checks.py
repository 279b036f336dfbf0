"""`verify --deep` on scores and finds: what follows from the stored p-values is derived anew."""

from pathlib import Path

import pytest

from coactivation_manifolds import paths
from coactivation_manifolds.schemas import FINDS, SCORES, SHAPE_NAMES, SHAPE_TESTS, conform
from coactivation_manifolds.storage import write_json, write_table
from coactivation_manifolds.verify.place import Place
from coactivation_manifolds.verify.records import Records
from coactivation_manifolds.verify.shape_checks import check_shapes

CLUSTERING = "components_j0.20"
P = [0.5, 0.001, 0.04, 0.002]
Q = [0.5, 0.004, 0.04 * 4 / 3, 0.004]
"""Benjamini and Hochberg's, by hand."""
CALLED = [None, "circle", None, "circle"]
RANKS = [3, 1, 4, 2]


def scored_rows() -> list[dict]:
    """Four tested clusters, two of them called, and one that was not tested."""
    rows = []
    for cluster, (p, q, shape, rank) in enumerate(zip(P, Q, CALLED, RANKS, strict=True)):
        row = {"cluster_id": cluster, "p_any": p, "q_any": q, "q_value": q, "rank": rank, "n_draws": 1000}
        row |= {f"{name}_p": p for name in SHAPE_NAMES} | {f"{name}_q": q for name in SHAPE_NAMES}
        rows.append(row | {"shape": shape or "blob"} | {f"{name}_statistic": 0.1 * cluster for name in SHAPE_NAMES})
    return [*rows, {"cluster_id": 4, "rank": 5}]


def found_rows() -> list[dict]:
    """The same as finds, of two families: each has its own q."""
    families = {"coactivation": list(zip(P, Q, CALLED, strict=True)), "cosine": [(0.003, 0.003, "circle")]}
    rows = [
        {"graph": graph, "p_any": p, "q_value": q, "shape": shape or "blob"}
        for graph, family in families.items()
        for p, q, shape in family
    ]
    rows.sort(key=lambda row: (row["shape"] == "blob", row["q_value"]))
    return [row | {"find_id": number} for number, row in enumerate(rows)]


def write(rows, schema, path: Path) -> None:
    write_table(conform({name: [row.get(name) for row in rows] for name in schema.names}, schema), path)


@pytest.fixture
def place(tmp_path) -> Place:
    folder = tmp_path / "results/x"
    place = Place(folder, "", Records(folder))
    write(scored_rows()[:-1][::-1], SHAPE_TESTS, place.path(paths.SHAPE_TESTS, clustering=CLUSTERING))
    write(scored_rows(), SCORES, place.path(paths.SCORES, clustering=CLUSTERING))
    write(found_rows(), FINDS, place.path(paths.FINDS))
    return place


def told(place: Place) -> list[str]:
    return [problem.what for problem in check_shapes(place)]


def assert_told(place, rows, schema, path, expected):
    """One problem is told of a file with these rows, in the expected words."""
    write(rows, schema, path)
    (problem,) = told(place)
    assert expected in problem


def test_what_follows_is_right(place):
    assert told(place) == []


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        (1, "q_any", 0.0041, "q of any does not follow"),
        (2, f"{SHAPE_NAMES[0]}_q", 0.05, f"q of {SHAPE_NAMES[0]} does not follow"),
        (1, "q_value", 0.001, "q_value is not q_any"),
        (0, f"{SHAPE_NAMES[0]}_statistic", 0.7, "its tests are not those of shape_tests.parquet"),
        (0, "cluster_id", 9, "its tests are not those of shape_tests.parquet"),
        (4, "rank", 4, "its ranks are not one of each"),
        (2, "shape", "simplex", "a shape stands behind what is none"),
    ],
)
def test_scores_that_do_not_follow(place, row, column, value, expected):
    rows = scored_rows()
    rows[row][column] = value
    assert_told(place, rows, SCORES, place.path(paths.SCORES, clustering=CLUSTERING), expected)


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        (4, "q_value", 0.6, "its q by coactivation does not follow from p_any"),
        (0, "q_value", 0.002, "its q by cosine does not follow from p_any"),
        (1, "find_id", 3, "not numbered in order"),
        (4, "shape", "circle", "a shape stands behind what is none"),
    ],
)
def test_finds_that_do_not_follow(place, row, column, value, expected):
    rows = found_rows()
    rows[row][column] = value
    assert_told(place, rows, FINDS, place.path(paths.FINDS), expected)


def test_shapes_that_are_not_in_the_order_of_q(place):
    rows = [row | {"shape": "circle"} if row["rank"] < 5 else row for row in scored_rows()]
    write(rows, SCORES, place.path(paths.SCORES, clustering=CLUSTERING))
    assert told(place) == ["its shapes are not in the order of q"]


def test_a_call_beyond_the_largest_q_is_found(place):
    scores = place.path(paths.SCORES, clustering=CLUSTERING)
    relative = scores.relative_to(place.folder.parents[1]).as_posix()
    record = {"rule": "rank_clusters", "wildcards": {"experiment": "x", "clustering": CLUSTERING}}
    record |= {"params": {"max_q": 0.001}, "outputs": [{"path": relative, "size": 1, "sha256": "0" * 64}], "inputs": []}
    write_json(record, place.folder / f"provenance/rank_clusters.{CLUSTERING}.json")
    recorded = Place(place.folder, "", Records(place.folder))
    assert told(recorded) == ["calls a shape of q 0.004, the largest allowed is 0.001"]


def test_without_tested_clusters_there_is_nothing_to_derive(place):
    write([{"cluster_id": 0, "rank": 1}], SCORES, place.path(paths.SCORES, clustering=CLUSTERING))
    write([], SHAPE_TESTS, place.path(paths.SHAPE_TESTS, clustering=CLUSTERING))
    write([], FINDS, place.path(paths.FINDS))
    assert told(place) == []
