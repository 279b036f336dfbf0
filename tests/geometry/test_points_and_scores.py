"""Points of a cluster and the table of scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_clusters import SETTINGS, array_index, make_experiment, write_summary

from coactivation_manifolds.errors import InputError, ResultsError
from coactivation_manifolds.geometry import points as points_module
from coactivation_manifolds.geometry.clusters import (
    check_points,
    check_size,
    find_cluster,
    point_rule,
    read_clusters,
    why_not_drawn,
)
from coactivation_manifolds.geometry.pca import pca_reconstruction, pca_restricted
from coactivation_manifolds.geometry.points import cluster_points, find_points
from coactivation_manifolds.geometry.variance import measure_clusters
from coactivation_manifolds.schemas import VARIANCE
from coactivation_manifolds.storage import read_table, write_array


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1_000),
    density=st.sampled_from([0.01, 0.1, 0.6]),
    min_active=st.integers(1, 3),
    positions=st.sampled_from([None, (0, 10), (5, 40), (200, 300)]),
    block=st.sampled_from([1024, 7]),
)
def test_streamed_points_equal_a_dense_slice(seed, density, min_active, positions, block):
    rng = np.random.default_rng(seed)
    index = array_index((rng.random((300, 8)) < density) * rng.random((300, 8)))
    members = [5, 1, 6]
    found = find_points(index, members, min_active=min_active, positions=positions)
    dense = cluster_points(index, members, min_active=min_active, positions=positions)
    np.testing.assert_array_equal(found.token_rows, dense.token_rows)
    streamed = [found.activations(found.token_rows[i : i + block]) for i in range(0, len(found), block)]
    np.testing.assert_array_equal(np.concatenate([np.empty((0, 3)), *streamed]), dense.activations)


def test_blocks_are_cut_and_complete(monkeypatch):
    monkeypatch.setattr(points_module, "BLOCK_ENTRIES", 3 * 1024)
    index = array_index(np.random.default_rng(0).random((5_000, 3)) + 0.1)
    blocks = list(find_points(index, [0, 1, 2], min_active=1).blocks())
    assert [len(block) for block in blocks] == [1024, 1024, 1024, 1024, 904]
    np.testing.assert_array_equal(np.concatenate(blocks), index.dense.astype(float))


def test_a_window_needs_positions():
    index = array_index(np.ones((20, 2)), positions=[None] * 20)
    with pytest.raises(InputError, match="position"):
        find_points(index, [0], min_active=1, positions=[0, 5])


def test_scores_equal_the_direct_computation(tmp_path):
    made = make_experiment(tmp_path, n_ring=800)
    measure_clusters(
        made.summary_path,
        index=made.index,
        decoder_path=made.decoder_path,
        settings=SETTINGS,
        variance_path=tmp_path / "variance.parquet",
    )
    table = read_table(tmp_path / "variance.parquet")
    assert table.schema.remove_metadata() == VARIANCE
    rows = table.to_pylist()
    assert [row["cluster_id"] for row in rows] == [0, 1, 2, 3, 4]
    for row, members in zip(rows, made.members, strict=True):
        rows_of = made.index.slice(members)
        assert row["n_points"] == len(rows_of.token_rows)
        act = pca_restricted(rows_of.activations).evr
        recon = pca_reconstruction(rows_of.activations, made.decoder[members]).evr
        for i in range(5):
            few = row["n_points"] < 64
            for key, shares in (("act", act), ("recon", recon)):
                got = row[f"evr_{key}_pc{i + 1}"]
                assert (got is None) == (few or i >= len(shares))
                assert got is None or abs(got - shares[i]) < 1e-12


def test_scores_without_decoder_and_with_degenerate_clusters(tmp_path):
    dense = np.zeros((400, 6))
    dense[:200, :2] = 1.5  # always the same values
    dense[200:300, 2] = np.linspace(1, 2, 100)
    dense[200:300, 3] = dense[200:300, 2]
    write_summary(tmp_path / "s.parquet", [[0, 1], [2, 3], [4, 5]])
    measure_clusters(
        tmp_path / "s.parquet",
        index=array_index(dense),
        decoder_path=None,
        settings=SETTINGS,
        variance_path=tmp_path / "x.parquet",
    )
    rows = read_table(tmp_path / "x.parquet").to_pylist()
    assert [row["n_points"] for row in rows] == [200, 100, 0]
    assert [row["evr_act_pc1"] for row in rows] == [None, 1.0, None]
    assert all(row[f"evr_recon_pc{i}"] is None for row in rows for i in range(1, 6))
    assert all(row["evr_act_pc2"] is None for row in rows)


def test_scores_leave_out_sizes_outside_the_bounds(tmp_path):
    write_summary(tmp_path / "s.parquet", [list(range(60)), [60, 61]])
    index = array_index(np.random.default_rng(0).random((100, 70)))
    measure_clusters(
        tmp_path / "s.parquet", index=index, decoder_path=None, settings=SETTINGS, variance_path=tmp_path / "x.parquet"
    )
    assert read_table(tmp_path / "x.parquet").column("cluster_id").to_pylist() == [1]


def test_a_decoder_of_another_sae_is_refused(tmp_path):
    write_summary(tmp_path / "s.parquet", [[0, 1]])
    write_array(np.ones((5, 4), np.float32), tmp_path / "d.npy")
    with pytest.raises(ResultsError, match=r"expected 3 rows"):
        measure_clusters(
            tmp_path / "s.parquet",
            index=array_index(np.ones((9, 3))),
            decoder_path=tmp_path / "d.npy",
            settings=SETTINGS,
            variance_path=tmp_path / "x.parquet",
        )
    assert not (tmp_path / "x.parquet").exists()


def test_a_clustering_without_clusters_has_an_empty_table(tmp_path):
    write_summary(tmp_path / "s.parquet", [])
    measure_clusters(
        tmp_path / "s.parquet",
        index=array_index(np.ones((9, 3))),
        decoder_path=None,
        settings=SETTINGS,
        variance_path=tmp_path / "x.parquet",
    )
    assert read_table(tmp_path / "x.parquet").num_rows == 0


def test_messages_about_clusters(tmp_path):
    write_summary(tmp_path / "s.parquet", [list(range(3000)), *[[2 * i, 2 * i + 1] for i in range(36)]])
    clusters = read_clusters(tmp_path / "s.parquet")
    name = "components_j0.20"
    with pytest.raises(ResultsError, match=r"^components_j0.20 has 37 clusters, 0000 to 0036; asked for 0099$"):
        find_cluster(clusters, name, 99)
    with pytest.raises(ResultsError, match=r"has 1 cluster, 0000; asked for 0001$"):
        find_cluster(clusters[:1], name, 1)
    with pytest.raises(ResultsError, match=r"has no clusters; asked for 0000: choose a lower threshold"):
        find_cluster([], name, 0)
    with pytest.raises(ResultsError, match=r"has 3,000 latents, more than geometry.max_size_on_request = 2,000"):
        check_size(clusters[0], name, SETTINGS)
    with pytest.raises(ResultsError, match=r"has 40 points .* fewer than geometry.min_points = 64"):
        check_points(clusters[5], 40, name, SETTINGS)
    assert find_cluster(clusters, name, 7).cluster_id == 7
    assert why_not_drawn(clusters[0], None, SETTINGS).startswith("too large: 3,000 latents")
    assert why_not_drawn(clusters[1], 12, SETTINGS).startswith("too few points: 12")
    assert why_not_drawn(clusters[1], 12, SETTINGS | {"min_size": 3}).startswith("too small")
    assert why_not_drawn(clusters[1], 64, SETTINGS) is None
    assert point_rule(SETTINGS, 8) == "tokens where any of the 8 members fires"
    assert point_rule(SETTINGS | {"min_active": 2, "positions": [100, 1024]}, 8) == (
        "tokens where at least 2 of the 8 members fire, at positions 100 to 1,023 of a document"
    )
