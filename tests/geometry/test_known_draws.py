"""p, q and calls from null draws that are known, and what is said of files that do not fit."""

from types import SimpleNamespace

import numpy as np
import pytest
from planted_activations import gated_blob, points_of, unit_rows
from scipy.stats import false_discovery_control
from synthetic_clusters import SETTINGS, array_index, write_summary

from coactivation_manifolds import schemas
from coactivation_manifolds.errors import CoactivationError, ResultsError
from coactivation_manifolds.geometry import shape_points
from coactivation_manifolds.geometry.fitted_shape import fit_shape
from coactivation_manifolds.geometry.nulls.shape_test import statistic_names
from coactivation_manifolds.geometry.ranking import rank_clusters
from coactivation_manifolds.geometry.shape_draws import draw_on
from coactivation_manifolds.geometry.shape_tests import summarize_tests
from coactivation_manifolds.geometry.variance import measure_clusters
from coactivation_manifolds.geometry.vertex_tokens import vertex_token_ids
from coactivation_manifolds.storage import read_table, write_array, write_table

SHAPES = SETTINGS | {"sample_points": 100, "max_q": 0.05, "family": 1}
NAMES = statistic_names(has_decoder=True)
N_DRAWS = 99
AHEAD = (0, 4, 24)
"""Draws at least as large as the observed statistic, of each cluster, in every statistic."""


def run_tests(made):
    summarize_tests(
        made.folder / "draws.parquet",
        summary_path=made.folder / "summary.parquet",
        index=made.index,
        decoder_path=made.folder / "decoder.npy",
        settings=SHAPES,
        seed=0,
        tests_path=made.folder / "tests.parquet",
        shapes_path=made.folder / "shapes.json",
    )
    return read_table(made.folder / "tests.parquet").to_pylist()


def rank(made):
    folder = made.folder
    measure_clusters(
        folder / "summary.parquet",
        index=made.index,
        decoder_path=None,
        settings=SETTINGS,
        variance_path=folder / "variance.parquet",
    )
    write_table(schemas.STABILITY.empty_table(), folder / "stability.parquet")
    write_table(schemas.CONNECTED_SETS.empty_table(), folder / "sets.parquet")
    rank_clusters(
        folder / "tests.parquet",
        variance_path=folder / "variance.parquet",
        summary_path=folder / "summary.parquet",
        stability_path=folder / "stability.parquet",
        connected_sets_path=folder / "sets.parquet",
        max_q=0.05,
        scores_path=folder / "scores.parquet",
    )
    return read_table(folder / "scores.parquet").to_pylist()


@pytest.fixture
def made(tmp_path):
    """Three blobs of four latents, and draws of which so many as ``AHEAD`` reach the cluster."""
    rng = np.random.default_rng(0)
    blobs = [points_of(gated_blob(rng, 150, 4)) for _ in AHEAD]
    dense = np.zeros((sum(map(len, blobs)), 12))
    row = 0
    for number, blob in enumerate(blobs):
        dense[row : row + len(blob), 4 * number : 4 * number + 4] = blob
        row += len(blob)
    write_summary(tmp_path / "summary.parquet", [list(range(4 * i, 4 * i + 4)) for i in range(3)])
    write_array(unit_rows(rng, 12).astype(np.float32), tmp_path / "decoder.npy")
    columns = {"cluster_id": np.repeat(range(3), 1 + N_DRAWS), "draw": np.tile(np.arange(1 + N_DRAWS), 3)}
    one = [[N_DRAWS - ahead + 0.5, *range(1, 1 + N_DRAWS)] for ahead in AHEAD]
    columns |= dict.fromkeys(NAMES, np.ravel(one).astype(float))
    record = {"n_tested": "3", "smallest_q": "0.03"}
    write_table(
        schemas.conform(columns, schemas.shape_draws_schema(NAMES)), tmp_path / "draws.parquet", metadata=record
    )
    return SimpleNamespace(folder=tmp_path, index=array_index(dense))


def test_p_and_q_of_known_draws(made):
    p = [(1 + ahead) / (1 + N_DRAWS) for ahead in AHEAD]
    for row, expected in zip(run_tests(made), p, strict=True):
        assert row["n_draws"] == N_DRAWS
        # every statistic has the same draws, so that there is no choice to pay for
        assert row["p_any"] == row["circle_p"] == row["simplex_p"] == row["curve_p_activations"] == expected
        assert row["if_not_called"] in ("blob", "mixture")
    rows = rank(made)
    for name in ("q_any", "circle_q", "simplex_q", "helix_q", "curve_q"):
        assert [row[name] for row in rows] == pytest.approx(false_discovery_control(p))
    # unusual without being any shape is no find
    assert rows[0]["q_any"] <= 0.05
    assert {row["shape"] for row in rows} <= {"blob", "mixture"}
    assert [row["effect"] for row in rows] == [None] * 3
    by_value = sorted(rows, key=lambda row: -(1 - row["mixture_index"]) * row["separability_bits"])
    assert [row["rank"] for row in by_value] == [1, 2, 3]


def test_what_could_not_have_been_found_is_said(made, caplog):
    run_tests(made)
    path = made.folder / "tests.parquet"
    record = {"n_tested": "5000", "smallest_q": "0.31"}
    write_table(read_table(path).replace_schema_metadata(None), path, metadata=record)
    with caplog.at_level("INFO"):
        rank(made)
    assert "the smallest q that a single find could have reached: 0.31" in caplog.text
    assert "no single shape could have been found at q <= 0.05" in caplog.text


def test_damaged_draws_are_told_in_one_line(made):
    path = made.folder / "draws.parquet"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CoactivationError, match=r"draws\.parquet") as caught:
        run_tests(made)
    assert "\n" not in str(caught.value)
    assert not (made.folder / "tests.parquet").exists()


def test_tests_of_another_clustering_are_refused(made):
    run_tests(made)
    write_summary(made.folder / "summary.parquet", [[0, 1, 2, 3]])
    with pytest.raises(ResultsError, match=r"has cluster 1, which .*variance\.parquet lacks") as caught:
        rank(made)
    assert "\n" not in str(caught.value)
    assert not (made.folder / "scores.parquet").exists()


def test_tokens_at_the_vertices_of_a_simplex():
    belief = np.random.default_rng(5).dirichlet([0.6, 0.6, 0.6], 500)
    index = array_index(belief * 4, token_ids=belief.argmax(axis=1) + 10)
    tested = shape_points.TestedPoints(None, 500, np.arange(500), index.dense.astype(float), None, 0)
    shape = fit_shape(tested.activations, turn=np.eye(3), kind="simplex", basis="act", n_vertices=3)
    assert sorted(vertex_token_ids(shape, tested, index)) == [[10], [11], [12]]
    assert vertex_token_ids(shape, tested, array_index(belief * 4)) == [[], [], []]


def test_faint_tokens_do_not_shift_those_at_the_vertices():
    belief = np.random.default_rng(5).dirichlet([0.6, 0.6, 0.6], 500)
    strength = np.where(np.arange(500) % 5 == 0, 0.1, 4.0)[:, None]
    index = array_index(belief * strength, token_ids=np.where(strength[:, 0] < 1, 99, belief.argmax(axis=1) + 10))
    tested = shape_points.TestedPoints(None, 500, np.arange(500), index.dense.astype(float), None, 0)
    shape = fit_shape(tested.activations, turn=np.eye(3), kind="simplex", basis="act", n_vertices=3)
    assert sorted(vertex_token_ids(shape, tested, index)) == [[10], [11], [12]]


@pytest.mark.parametrize(
    ("n_family", "need", "rounds"),
    [
        (20, {"a": 10**6}, []),  # the first stage's thousand draws are enough for q
        (200, {"a": 10**6}, [({"a"}, 4_000)]),
        (200, {"a": 10**6, "b": 10**6}, [({"a", "b"}, 2_000)]),
        (200, {"a": 10**6, "b": 1_500}, [({"a", "b"}, 2_000), ({"a"}, 4_000)]),
        (200, dict.fromkeys("abcd", 10**6), []),
    ],
    ids=["few clusters", "one find", "two finds", "one of two falls out", "finds that lend each other room"],
)
def test_rounds_go_on_until_all_that_wait_could_be_called(n_family, need, rounds):
    """``need`` draws show that a cluster is no find; the others of the family are known after the first stage."""
    asked = []

    def again(waiting, n_draws):
        asked.append((set(waiting), n_draws))
        return [(name, SimpleNamespace(goes_on=n_draws < need[name], n_draws=n_draws)) for name in waiting]

    first = {name: SimpleNamespace(goes_on=name in need, n_draws=1_000) for name in "zabcd"}
    last = draw_on(first, again, n_family=n_family, max_q=0.05)
    assert asked == rounds
    assert list(last) == list("zabcd")
    assert all(last[name].n_draws == n_draws for names, n_draws in rounds[-1:] for name in names)
