"""Null draws, tests and ranks of a clustering's clusters, through their files."""

import numpy as np
import pytest
from planted_activations import belief_triangle, gated_blob, ring_tiles
from synthetic_clusters import array_index, write_summary

from coactivation_manifolds.clustering.membership import footer
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.geometry.nulls.p_values import draws_needed
from coactivation_manifolds.geometry.ranking import rank_clusters
from coactivation_manifolds.geometry.shape_draws import draw_nulls
from coactivation_manifolds.geometry.shape_tests import summarize_tests
from coactivation_manifolds.geometry.shapes.registry import SHAPES
from coactivation_manifolds.geometry.variance import measure_clusters
from coactivation_manifolds.schemas import CONNECTED_SETS, SCORES, SHAPE_TESTS, STABILITY, conform
from coactivation_manifolds.storage import read_json, read_table, write_array, write_table

SETTINGS = {
    "positions": None,
    "min_active": 1,
    "min_points": 64,
    "min_size": 2,
    "max_size": 50,
    "sample_points": 200,
    "max_q": 0.05,
    "family": 1,
}


class Stages:
    """The stages of one clustering, from its summary and dense activations to its scores."""

    def __init__(self, folder, dense, members, *, decoder=None, settings=SETTINGS):
        self.folder, self.index, self.settings = folder, array_index(dense), settings
        folder.mkdir(exist_ok=True)
        write_summary(folder / "summary.parquet", members)
        self.decoder = None
        if decoder is not None:
            self.decoder = folder / "decoder.npy"
            write_array(decoder.astype(np.float32), self.decoder)

    def common(self):
        return {"index": self.index, "decoder_path": self.decoder, "settings": self.settings}

    def draw(self, *, threads=1):
        path = self.folder / "draws.parquet"
        draw_nulls(self.folder / "summary.parquet", **self.common(), seed=0, threads=threads, draws_path=path)
        return read_table(path)

    def test(self):
        summarize_tests(
            self.folder / "draws.parquet",
            summary_path=self.folder / "summary.parquet",
            **self.common(),
            seed=0,
            tests_path=self.folder / "tests.parquet",
            shapes_path=self.folder / "shapes.json",
        )
        return read_table(self.folder / "tests.parquet")

    def rank(self):
        place = self.folder
        measure_clusters(place / "summary.parquet", **self.common(), variance_path=place / "variance.parquet")
        for name, schema in (("stability", STABILITY), ("sets", CONNECTED_SETS)):
            write_table(conform({key: [] for key in schema.names}, schema), place / f"{name}.parquet")
        rank_clusters(
            place / "tests.parquet",
            variance_path=place / "variance.parquet",
            summary_path=place / "summary.parquet",
            stability_path=place / "stability.parquet",
            connected_sets_path=place / "sets.parquet",
            max_q=self.settings["max_q"],
            scores_path=place / "scores.parquet",
        )
        return read_table(place / "scores.parquet")


def planted(rng):
    """A ring of 8 tiles, a triangle of 5 latents, a blob, a rare pair, each on tokens of its own."""
    blocks = [ring_tiles(rng, 250, 8)[0], belief_triangle(rng, 250, 5), gated_blob(rng, 250, 6), gated_blob(rng, 30, 2)]
    dense = np.zeros((sum(map(len, blocks)), sum(block.shape[1] for block in blocks)), dtype=np.float32)
    members, row, column = [], 0, 0
    for block in blocks:
        dense[row : row + len(block), column : column + block.shape[1]] = block
        members.append(list(range(column, column + block.shape[1])))
        row, column = row + len(block), column + block.shape[1]
    decoder = rng.normal(size=(column, 48))
    return dense, members, decoder / np.linalg.norm(decoder, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    dense, members, decoder = planted(np.random.default_rng(0))
    made = Stages(tmp_path_factory.mktemp("stages"), dense, members, decoder=decoder)
    made.draws, made.tests, made.scores = made.draw(), made.test(), made.rank()
    return made


def test_draws_hold_the_cluster_and_its_null(stages):
    ids, draws = (stages.draws[name].to_numpy() for name in ("cluster_id", "draw"))
    assert sorted(set(ids)) == [0, 1, 2]
    for cluster in range(3):
        own = draws[ids == cluster]
        assert (own == np.arange(len(own))).all()
        assert len(own) >= 101
    finds = [np.count_nonzero(ids == cluster) - 1 for cluster in (0, 1)]
    assert min(finds) >= draws_needed(3, 2) or min(finds) >= 1_000


def test_planted_shapes_are_called_and_blobs_are_not(stages):
    assert stages.tests.schema.remove_metadata() == SHAPE_TESTS
    assert stages.scores.schema.remove_metadata() == SCORES
    rows = stages.scores.to_pylist()
    assert [row["shape"] for row in rows[:2]] == ["circle", "simplex"]
    assert rows[1]["n_vertices"] == 3
    assert {row["basis"] for row in rows[:2]} == {"recon"}
    assert rows[2]["shape"] in ("blob", "mixture")
    assert rows[3]["shape"] is None
    assert rows[3]["q_value"] is None
    assert sorted(row["rank"] for row in rows) == [1, 2, 3, 4]
    assert {rows[0]["rank"], rows[1]["rank"]} == {1, 2}
    assert rows[3]["rank"] == 4
    assert all(row["q_value"] == row["q_any"] for row in rows)
    assert sorted(row["engels_rank"] for row in rows[:3]) == [0, 1, 2]


def test_parameters_of_the_ring_give_its_tiles_in_order(stages):
    ring = read_json(stages.folder / "shapes.json")["0000"]
    assert ring["shape"] == "circle"
    order = np.array(ring["latents"])
    steps = np.diff([*order, order[0]]) % 8
    assert (steps == 1).all() or (steps == 7).all()
    assert len(ring["places"]) == 8
    assert set(ring["fit"]) >= {"centre", "radius", "gap", "plane"}
    triangle = read_json(stages.folder / "shapes.json")["0001"]
    assert np.shape(triangle["fit"]["vertices"]) == (3, 2)


def test_the_smallest_reachable_q_is_told(stages):
    record = footer(stages.scores.schema)
    assert record["n_tested"] == "3"
    assert 0 < float(record["smallest_q"]) <= 0.05


def test_processes_and_other_clusters_change_no_draw(stages, tmp_path):
    dense, members, decoder = planted(np.random.default_rng(0))
    again = Stages(tmp_path / "two", dense, members, decoder=decoder)
    assert again.draw(threads=2).equals(stages.draws)
    alone = Stages(tmp_path / "one", dense, members[:1], decoder=decoder).draw()
    n = alone.num_rows
    assert alone.equals(stages.draws.slice(0, n).replace_schema_metadata(alone.schema.metadata))


def test_without_a_decoder_activations_are_called(tmp_path):
    dense, members, _ = planted(np.random.default_rng(1))
    made = Stages(tmp_path / "plain", dense, members[:1])
    assert made.draw().schema.names[2:] == [f"act_{name}" for name in SHAPES]
    assert made.test()["candidate_basis"].to_pylist() == ["act"]


def test_clusters_without_points_and_clusterings_without_clusters(tmp_path):
    alike = np.zeros((300, 4), dtype=np.float32)
    alike[:, :2] = 1.5
    for name, members in (("alike", [[0, 1], [2, 3]]), ("none", [])):
        made = Stages(tmp_path / name, alike, members)
        assert made.draw().num_rows == 0
        assert made.test().num_rows == 0
        scores = made.rank()
        assert scores.num_rows == len(members)
        assert footer(scores.schema)["smallest_q"] == ""
        assert scores["shape"].to_pylist() == [None] * len(members)


def test_draws_of_other_settings_are_refused(stages, tmp_path):
    dense, members, decoder = planted(np.random.default_rng(0))
    made = Stages(tmp_path / "other", dense, members, decoder=decoder, settings=SETTINGS | {"min_points": 900})
    (made.folder / "draws.parquet").write_bytes((stages.folder / "draws.parquet").read_bytes())
    with pytest.raises(
        ResultsError, match=r"draws of 3 clusters, of which 0 are tested with these settings: delete it"
    ):
        made.test()
    made = Stages(tmp_path / "plain", dense, members)
    (made.folder / "draws.parquet").write_bytes((stages.folder / "draws.parquet").read_bytes())
    with pytest.raises(ResultsError, match=r"holds the statistics recon_helix, .*: delete it and run"):
        made.test()
