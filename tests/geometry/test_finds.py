"""What was found over a sweep, and the headline table, against doing it by hand."""

import numpy as np
import pytest

from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.clustering.summary import members_sha
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.geometry.finds import ClusteringFiles, collect_finds, merged_rows
from coactivation_manifolds.geometry.finds_summary import also_found, summarize_finds
from coactivation_manifolds.schemas import CLUSTERS_SUMMARY, FINDS, FINDS_SUMMARY, SCORES, SHAPE_TESTS, conform
from coactivation_manifolds.storage import read_table, write_table


def write_rows(rows, schema, path, **metadata):
    columns = {field.name: [row.get(field.name) for row in rows] for field in schema}
    write_table(conform(columns, schema), path, metadata=metadata)


def clustering(folder, name, clusters, *, n_draws=1_000, footer=None):
    """Files of a clustering; ``clusters`` are dicts with members and what is to be told of them."""
    place = folder / name
    rows = [
        {
            "cluster_id": number,
            "size": len(cluster["members"]),
            "members_sha": members_sha(cluster["members"]),
            "n_points": 500,
            "n_draws": n_draws,
            "shape": "blob",
            "if_not_called": "blob",
            **cluster,
        }
        for number, cluster in enumerate(clusters)
    ]
    tested = [row for row in rows if row.get("p_any") is not None]
    smallest = {"n_tested": str(len(tested)), "smallest_q": repr(len(tested) / (1 + n_draws)) if tested else ""}
    write_rows(rows, CLUSTERS_SUMMARY, place / "summary.parquet", **footer or {})
    write_rows(tested, SHAPE_TESTS, place / "tests.parquet")
    write_rows(rows, SCORES, place / "scores.parquet", **smallest)
    return ClusteringFiles(name, place / "summary.parquet", place / "tests.parquet", place / "scores.parquet")


RING = {"candidate": "circle", "candidate_basis": "recon", "effect": 3.0, "p_any": 0.001, "shape": "circle"}


def collect(tmp_path, clusterings, **options):
    settings = {"least_jaccard": 0.8, "max_q": 0.05} | options
    collect_finds(clusterings, finds_path=tmp_path / "finds.parquet", **settings)
    table = read_table(tmp_path / "finds.parquet")
    assert table.schema.remove_metadata().equals(FINDS)
    return table.to_pylist(), footer(table.schema)


def test_a_cluster_is_shown_once_with_the_range_it_lives_at(tmp_path):
    ring = {**RING, "members": [1, 2, 3, 4, 5]}
    more = {**RING, "members": [1, 2, 3, 4, 5, 6], "p_any": 0.0005}
    blob = {"members": [20, 21], "p_any": 0.6}
    files = [
        clustering(tmp_path, "components_j0.10", [{**more, "stability": 0.6}, {**blob, "stability": 0.5}]),
        clustering(tmp_path, "components_j0.20", [{**ring, "stability": 0.9}, {**blob, "stability": 0.4}]),
        clustering(tmp_path, "components_j0.30", [{**ring, "stability": 0.7}]),
    ]
    rows, told = collect(tmp_path, files)
    assert [row["members"] for row in rows] == [[1, 2, 3, 4, 5], [20, 21]]
    first, second = rows
    assert (first["find_id"], first["clustering"], first["cluster_id"]) == (0, "components_j0.20", 0)
    assert first["clusterings"] == ["components_j0.10", "components_j0.20", "components_j0.30"]
    assert (first["min_threshold"], first["max_threshold"], first["n_sets"]) == (0.1, 0.3, 2)
    assert (first["shape"], first["basis"], first["q_value"]) == ("circle", "recon", pytest.approx(0.002))
    assert (second["shape"], second["basis"], second["q_value"]) == ("blob", None, 0.6)
    assert second["clusterings"] == ["components_j0.10", "components_j0.20"]
    assert (told["n_tested_coactivation"], told["n_clusterings_coactivation"]) == ("2", "3")
    assert float(told["smallest_q_coactivation"]) == pytest.approx(2 / 1001)
    assert (told["n_tested_cosine"], told["smallest_q_cosine"], told["n_clusterings_cosine"]) == ("0", "", "0")


def test_which_set_stands_for_others_does_not_depend_on_p():
    rng = np.random.default_rng(0)
    rows = [
        {
            "members": sorted({*range(10), *rng.choice(np.arange(10, 14), 2).tolist()}),
            "clustering": f"components_j0.{i:02d}",
            "threshold": i / 100,
            "stability": [None, 0.5, 0.7][i % 3],
            "mean_jaccard": 0.3,
            "p_any": 0.0,
        }
        for i in range(30)
    ]
    for row in rows:
        row |= {"size": len(row["members"]), "members_sha": members_sha(row["members"])}

    def chosen(p):
        drawn = [row | {"p_any": value} for row, value in zip(rows, p, strict=True)]
        return [row["members_sha"] for row in merged_rows(drawn, least_jaccard=0.8)]

    first = chosen(rng.random(30))
    assert all(chosen(rng.random(30)) == first for _ in range(5))


def test_p_of_the_shown_is_uniform_where_nothing_is_there():
    """Were the smallest p of ten like sets shown, a third of these would be below 0.05."""
    rng = np.random.default_rng(3)
    shown = []
    for group in range(400):
        base = list(range(group * 100, group * 100 + 20))
        rows = [
            {
                "members": [*base, base[-1] + 1 + i],
                "size": 21,
                "members_sha": members_sha([*base, base[-1] + 1 + i]),
                "clustering": "components_j0.10",
                "threshold": 0.1,
                "stability": float(rng.random()),
                "mean_jaccard": None,
                "p_any": float(rng.random()),
            }
            for i in range(10)
        ]
        shown += [row["p_any"] for row in merged_rows(rows, least_jaccard=0.8)]
    assert len(shown) == 400
    assert np.mean(np.array(shown) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean(shown) == pytest.approx(0.5, abs=0.05)


def test_q_is_over_each_graph_alone(tmp_path):
    ring = {**RING, "members": [1, 2, 3, 4], "p_any": 0.01}
    others = [{"members": [10 * i, 10 * i + 1], "p_any": 0.9} for i in range(1, 10)]
    files = [
        clustering(tmp_path, "components_j0.20", [ring, *others]),
        clustering(tmp_path, "cosine_matched_components_j0.20", [ring]),
    ]
    rows, told = collect(tmp_path, files)
    calls = {row["graph"]: (row["shape"], row["q_value"]) for row in rows if row["members"] == [1, 2, 3, 4]}
    assert calls["cosine"] == ("circle", 0.01)
    assert calls["coactivation"] == ("blob", pytest.approx(0.1))
    assert (told["n_tested_coactivation"], told["n_tested_cosine"]) == ("10", "1")


def test_what_was_not_tested_is_no_find(tmp_path):
    files = [clustering(tmp_path, "components_j0.20", [{"members": [1, 2], "shape": None, "n_points": 3}])]
    rows, told = collect(tmp_path, files)
    assert rows == [] and told["smallest_q_coactivation"] == ""


def test_the_threshold_that_was_found_is_told(tmp_path):
    files = [clustering(tmp_path, "components_jauto", [{**RING, "members": [1, 2]}], footer={"threshold": "0.14"})]
    rows, _ = collect(tmp_path, files)
    assert (rows[0]["min_threshold"], rows[0]["max_threshold"]) == (0.14, 0.14)


def test_files_of_different_clusterings_are_refused(tmp_path):
    one = clustering(tmp_path, "components_j0.20", [{"members": [1, 2], "p_any": 0.5}])
    other = clustering(tmp_path, "components_j0.30", [])
    with pytest.raises(ResultsError, match="has cluster 0, which"):
        collect(tmp_path, [one._replace(scores=other.scores)])


def table_of(tmp_path, name, clusterings):
    collect_finds(clusterings, least_jaccard=0.8, max_q=0.05, finds_path=tmp_path / name)
    return tmp_path / name


def test_the_headline_table(tmp_path):
    ring = {**RING, "members": [1, 2, 3, 4], "missed_by_cosine": False}
    triangle = ring | {"candidate": "simplex", "candidate_vertices": 3, "members": [5, 6, 7], "missed_by_cosine": True}
    none = {"members": [8, 9], "p_any": 0.8}
    alike = RING | {"members": [3, 4, 1, 11, 12]}
    unlike = RING | {"members": [30, 31, 32]}
    own = table_of(
        tmp_path,
        "own.parquet",
        [
            clustering(tmp_path / "a", "components_j0.20", [ring, triangle, none]),
            clustering(tmp_path / "a", "cosine_matched_components_j0.20", [alike, unlike, none]),
        ],
    )
    controls = [
        table_of(tmp_path, f"{seed}.parquet", [clustering(tmp_path / str(seed), "components_j0.20", [none])])
        for seed in (3, 5)
    ]
    path = tmp_path / "summary.parquet"
    summarize_finds(own, control_paths=controls, seeds=[3, 5], summary_path=path)
    table = read_table(path)
    assert table.schema.equals(FINDS_SUMMARY)
    rows = table.to_pylist()
    assert [(row["kind"], row["shift_seed"]) for row in rows] == [
        ("coactivation", None),
        ("cosine", None),
        ("both", None),
        ("shifted", 3),
        ("shifted", 5),
    ]
    assert [row["n_called"] for row in rows] == [2, 2, 1, 0, 0]
    assert [(row["n_circle"], row["n_simplex"]) for row in rows] == [(1, 1), (2, 0), (1, 0), (0, 0), (0, 0)]
    assert [row["n_tested"] for row in rows] == [3, 3, None, 1, 1]
    assert [row["n_missed_by_cosine"] for row in rows] == [1, None, 0, 0, 0]
    assert rows[0]["smallest_q"] == pytest.approx(3 / 1001)


def test_without_cosine_nothing_is_said_of_it(tmp_path):
    own = table_of(tmp_path, "own.parquet", [clustering(tmp_path, "components_j0.20", [{**RING, "members": [1, 2]}])])
    summarize_finds(own, control_paths=[], seeds=[], summary_path=tmp_path / "summary.parquet")
    rows = read_table(tmp_path / "summary.parquet").to_pylist()
    assert [row["n_called"] for row in rows] == [1, None, None]
    assert [row["n_clusterings"] for row in rows] == [1, 0, None]


def test_half_of_the_members_is_enough_for_both():
    found = [{"members": [1, 2, 3]}, {"members": [1, 2, 7, 8]}]
    assert also_found(found, [{"members": [1, 2, 3, 4, 5, 6]}]) == found[:1]
    assert also_found(found, []) == []
