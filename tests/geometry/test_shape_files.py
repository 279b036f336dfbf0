"""From clusters to ranks through the files: null draws, tests, scores."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from planted_activations import gated_blob, points_of, ring_tiles, unit_rows
from synthetic_clusters import SETTINGS, array_index, write_summary

from coactivation_manifolds import schemas
from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.errors import CoactivationError, ResultsError
from coactivation_manifolds.geometry import shape_points
from coactivation_manifolds.geometry.fitted_shape import fit_shape
from coactivation_manifolds.geometry.ranking import rank_clusters
from coactivation_manifolds.geometry.shape_draws import draw_nulls
from coactivation_manifolds.geometry.shape_tests import summarize_tests
from coactivation_manifolds.geometry.variance import measure_clusters
from coactivation_manifolds.geometry.vertex_tokens import vertex_token_ids
from coactivation_manifolds.storage import read_json, read_table, write_array, write_table

SHAPES = SETTINGS | {"sample_points": 300, "max_q": 0.05, "family": 1}
RING, BLOBS, ALIKE, FEW = 0, (1, 2, 3, 4), 5, 6


def blocks_of_latents(seed=3):
    """A ring of seven tiles, four blobs, a cluster whose points are all alike, one with few points."""
    rng = np.random.default_rng(seed)
    blobs = [points_of(gated_blob(rng, 260, k)) for k in (6, 5, 5, 4)]
    return [ring_tiles(rng, 400, 7)[0], *blobs, np.full((90, 3), 1.5), points_of(gated_blob(rng, 20, 2))]


def place(folder, blocks, *, decoder=True):
    """Blocks of tokens and latents one after the other, as an index with a summary and perhaps a decoder."""
    sizes = [block.shape[1] for block in blocks]
    starts = np.cumsum([0, *sizes])
    dense = np.zeros((sum(map(len, blocks)) + 5, starts[-1] + 2))
    row = 0
    for block, start in zip(blocks, starts[:-1], strict=True):
        dense[row : row + len(block), start : start + block.shape[1]] = block
        row += len(block)
    members = [list(range(a, b)) for a, b in pairwise(starts)]
    write_summary(folder / "summary.parquet", members)
    path = folder / "decoder.npy" if decoder else None
    if path:
        write_array(unit_rows(np.random.default_rng(1), dense.shape[1]).astype(np.float32), path)
    return SimpleNamespace(folder=folder, index=array_index(dense), decoder_path=path, members=members)


def draw(made, name="draws.parquet", *, threads=1, **changed):
    draw_nulls(
        made.folder / "summary.parquet",
        index=made.index,
        decoder_path=made.decoder_path,
        settings=SHAPES | changed,
        seed=0,
        threads=threads,
        draws_path=made.folder / name,
    )
    return made.folder / name


def run_tests(made, **changed):
    given = {"index": made.index, "decoder_path": made.decoder_path, "settings": SHAPES | changed}
    folder = made.folder
    summarize_tests(
        folder / "draws.parquet",
        summary_path=folder / "summary.parquet",
        seed=0,
        tests_path=folder / "tests.parquet",
        shapes_path=folder / "shapes.json",
        **given,
    )
    return read_table(folder / "tests.parquet")


def rank(made, *, max_q=0.05):
    folder = made.folder
    measure_clusters(
        folder / "summary.parquet",
        index=made.index,
        decoder_path=made.decoder_path,
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
        max_q=max_q,
        scores_path=folder / "scores.parquet",
    )
    return read_table(folder / "scores.parquet")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The chain with a decoder."""
    made = place(tmp_path_factory.mktemp("shapes"), blocks_of_latents())
    draw(made)
    made.tests = run_tests(made)
    made.scores = rank(made)
    return made


def test_what_is_tested_and_how_often(finished):
    table = read_table(finished.folder / "draws.parquet")
    numbers = table["cluster_id"].to_numpy()
    assert sorted(set(numbers.tolist())) == [RING, *BLOBS]
    for cluster in set(numbers.tolist()):
        assert table["draw"].to_numpy()[numbers == cluster].tolist() == list(range((numbers == cluster).sum()))
    drawn = {row["cluster_id"]: row["n_draws"] for row in finished.tests.to_pylist()}
    assert drawn == {cluster: int((numbers == cluster).sum()) - 1 for cluster in drawn}
    assert drawn[RING] >= 1_000
    assert np.median([drawn[blob] for blob in BLOBS]) < 1_000


def test_p_values_follow_from_the_draws(finished):
    table = read_table(finished.folder / "draws.parquet").to_pandas()
    for row in finished.tests.to_pylist():
        own = table[table["cluster_id"] == row["cluster_id"]]
        observed, null = own.iloc[0], own.iloc[1:]
        assert row["circle_p"] == (1 + (null["recon_circle"] >= observed["recon_circle"]).sum()) / (1 + len(null))
        assert row["circle_statistic"] == observed["recon_circle"]
        assert row["p_any"] >= 1 / (1 + row["n_draws"])
        simplices = [name for name in own if name.startswith("recon_simplex")]
        each = ((null[simplices] >= observed[simplices]).sum() + 1) / (1 + len(null))
        assert row["simplex_p"] >= each.min()


def test_the_ring_is_found_and_ranks_first(finished):
    rows = {row["cluster_id"]: row for row in finished.scores.to_pylist()}
    assert list(rows) == list(range(7))
    ring = rows[RING]
    assert (ring["shape"], ring["basis"], ring["n_vertices"], ring["rank"]) == ("circle", "recon", None, 1)
    assert ring["q_value"] == ring["q_any"] <= 0.05 and ring["effect"] > 1
    assert {rows[blob]["shape"] for blob in BLOBS} <= {"blob", "mixture"}
    assert all(rows[blob]["q_any"] >= rows[blob]["p_any"] for blob in BLOBS)
    assert sorted(rows[cluster]["engels_rank"] for cluster in (RING, *BLOBS)) == [0, 1, 2, 3, 4]
    assert sorted(row["rank"] for row in rows.values()) == list(range(1, 8))
    for cluster in (ALIKE, FEW):
        assert rows[cluster]["shape"] is rows[cluster]["p_any"] is rows[cluster]["engels_rank"] is None
        assert rows[cluster]["rank"] > 5
    assert [row["missed_by_cosine"] for row in rows.values()] == [i % 2 == 0 for i in range(7)]


def test_footers_say_what_could_have_been_found(finished):
    for name in ("draws", "tests", "scores"):
        record = footer(pq.read_schema(finished.folder / f"{name}.parquet"))
        assert record["n_tested"] == "5"
        assert float(record["smallest_q"]) <= 0.05


def test_the_ring_s_latents_are_told_in_order(finished):
    described = read_json(finished.folder / "shapes.json")["0000"]
    assert (described["shape"], described["basis"]) == ("circle", "recon")
    start = described["latents"].index(0)
    turned = described["latents"][start:] + described["latents"][:start]
    assert turned in (list(range(7)), [0, *range(6, 0, -1)])
    places = np.array(described["places"])
    assert (np.diff(places) > 0).all() and places.min() >= -180 and places.max() <= 180
    assert np.diff(places) == pytest.approx(360 / 7, abs=20)
    assert described["fit"]["radius"] > 0 and len(described["fit"]["centre"]) == 2


def test_processes_change_nothing(finished):
    again = draw(finished, "again.parquet", threads=3)
    assert again.read_bytes() == (finished.folder / "draws.parquet").read_bytes()


def test_the_same_latents_get_the_same_draws_in_another_clustering(finished, tmp_path):
    made = SimpleNamespace(**vars(finished) | {"folder": tmp_path})
    write_summary(tmp_path / "summary.parquet", [[20, 21], finished.members[2]])
    other = read_table(draw(made)).to_pandas()
    known = read_table(finished.folder / "draws.parquet").to_pandas()
    here, there = (table[table["cluster_id"] == name].iloc[:101, 2:] for table, name in ((other, 1), (known, 2)))
    assert (here.to_numpy() == there.to_numpy()).all()


def test_without_a_decoder_the_activations_are_called(tmp_path):
    made = place(tmp_path, blocks_of_latents()[:3], decoder=False)
    assert all(name.startswith("act_") for name in read_table(draw(made)).schema.names[2:])
    run_tests(made)
    rows = rank(made).to_pylist()
    assert (rows[0]["shape"], rows[0]["basis"]) == ("circle", "act")
    assert rows[0]["evr_recon_pc1"] is None


@pytest.mark.parametrize("members", [[], [[0, 1], [2, 3]]])
def test_nothing_to_test_is_no_error(tmp_path, members):
    made = place(tmp_path, [np.ones((3, 4))])
    write_summary(tmp_path / "summary.parquet", members)
    assert read_table(draw(made, threads=2)).num_rows == 0
    assert run_tests(made).num_rows == 0
    scores = rank(made)
    assert scores["shape"].to_pylist() == [None] * len(members)
    assert sorted(scores["rank"].to_pylist()) == list(range(1, len(members) + 1))
    assert footer(scores.schema)["n_tested"] == "0"
    assert footer(scores.schema)["smallest_q"] == ""
    assert read_json(tmp_path / "shapes.json").keys() <= {"format_version"}


def test_what_could_not_have_been_found_is_said(finished, tmp_path, caplog):
    made = SimpleNamespace(**vars(finished) | {"folder": tmp_path})
    write_summary(tmp_path / "summary.parquet", finished.members)
    record = {"n_tested": "5000", "smallest_q": "0.31"}
    write_table(finished.tests.replace_schema_metadata(None), tmp_path / "tests.parquet", metadata=record)
    with caplog.at_level("INFO"):
        rank(made)
    assert "0.31" in caplog.text
    assert "no single shape could have been found at q <= 0.05" in caplog.text


def test_draws_of_other_settings_are_refused(finished, tmp_path):
    made = SimpleNamespace(**vars(finished) | {"folder": tmp_path})
    for name in ("summary.parquet", "draws.parquet"):
        (tmp_path / name).write_bytes((finished.folder / name).read_bytes())
    with pytest.raises(ResultsError, match="draws of 5 clusters, of which 1 are tested") as caught:
        run_tests(made, min_points=350)
    assert "\n" not in str(caught.value) and not (tmp_path / "tests.parquet").exists()
    made.decoder_path = None
    with pytest.raises(ResultsError, match="holds the statistics recon_helix"):
        run_tests(made)


def test_damaged_draws_are_told_in_one_line(finished, tmp_path):
    made = SimpleNamespace(**vars(finished) | {"folder": tmp_path})
    (tmp_path / "summary.parquet").write_bytes((finished.folder / "summary.parquet").read_bytes())
    (tmp_path / "draws.parquet").write_bytes((finished.folder / "draws.parquet").read_bytes()[:500])
    with pytest.raises(CoactivationError, match=r"draws\.parquet") as caught:
        run_tests(made)
    assert "\n" not in str(caught.value)


def test_tests_of_another_clustering_are_refused(finished, tmp_path):
    made = SimpleNamespace(**vars(finished) | {"folder": tmp_path})
    write_summary(tmp_path / "summary.parquet", finished.members[:3])
    (tmp_path / "tests.parquet").write_bytes((finished.folder / "tests.parquet").read_bytes())
    with pytest.raises(ResultsError, match=r"which .*variance\.parquet lacks"):
        rank(made)


def test_tokens_at_the_vertices_of_a_simplex():
    rng = np.random.default_rng(5)
    belief = rng.dirichlet([0.6, 0.6, 0.6], 500)
    activations = belief * 4
    index = array_index(activations, token_ids=belief.argmax(axis=1) + 10)
    tested = shape_points.TestedPoints(None, 500, np.arange(500), index.dense.astype(float), None, 0)
    shape = fit_shape(tested.activations, turn=np.eye(3), kind="simplex", basis="act", n_vertices=3)
    tokens = vertex_token_ids(shape, tested, index)
    assert sorted(tokens) == [[10], [11], [12]]
    nearest = shape.fit.weights.argmax(axis=1)
    assert {tokens[v][0] - 10 for v in np.unique(nearest)} == {0, 1, 2}
    assert vertex_token_ids(shape, tested, array_index(activations)) == [[], [], []]
