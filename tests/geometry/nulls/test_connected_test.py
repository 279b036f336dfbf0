"""Called clusters beside connected sets: what is measured, and that it tells a ring from sets without one."""

import numpy as np
import pytest
from synthetic_clusters import SETTINGS as DRAWN
from synthetic_clusters import array_index, ring_activations

from coactivation_manifolds.clustering.summary import members_sha
from coactivation_manifolds.geometry.nulls.connected_test import StatisticOf, called_clusters, compare_connected_sets
from coactivation_manifolds.geometry.pca import pca_reconstruction, pca_restricted
from coactivation_manifolds.geometry.shapes.circle import LEAST_STATISTIC, circle_statistic
from coactivation_manifolds.geometry.shapes.cloud import make_cloud
from coactivation_manifolds.schemas import CLUSTERS_SUMMARY, CONNECTED_SETS, EDGES, SHAPE_TESTS, conform
from coactivation_manifolds.storage import read_table, write_array, write_table

SETTINGS = DRAWN | {"sample_points": 1_000}
RING = list(range(7))
N_BLOBS, BLOB = 8, 7


@pytest.fixture(scope="module")
def corpus():
    """A ring of seven latents, and eight groups of seven that fire together without any shape, joined in a chain."""
    rng = np.random.default_rng(0)
    n = 700
    dense = np.zeros(((N_BLOBS + 1) * n, 7 + N_BLOBS * BLOB))
    dense[:n, :7] = ring_activations(rng, n)[0]
    for blob in range(N_BLOBS):
        begin = (blob + 1) * n - (60 if blob else 0)  # the first tokens are the last of the group before, too
        values = np.maximum(rng.normal(0.5, 1, (n, 1)) + rng.normal(0, 1, (n, BLOB)), 0)
        dense[begin : begin + n, 7 + blob * BLOB : 7 + (blob + 1) * BLOB] = values
    decoder = rng.normal(size=(dense.shape[1], 64)).astype(np.float32)
    turns = 2 * np.pi * np.arange(7) / 7
    decoder[:7] = 0.02 * decoder[:7]
    decoder[:7, 0] += np.cos(turns)
    decoder[:7, 1] += np.sin(turns)
    return array_index(dense), decoder


def write_rows(rows, schema, path):
    write_table(conform({field.name: [row.get(field.name) for row in rows] for field in schema}, schema), path)


def jaccards(index):
    fires = (index.dense > 0).astype(np.int64)
    joint, n = fires.T @ fires, fires.sum(axis=0)
    return joint / np.maximum(1, n[:, None] + n - joint)


def compare(folder, corpus, tested, **options):
    """The file for clusters given as (members, candidate, p)."""
    index, decoder = corpus
    matrix = jaccards(index)
    pairs = np.argwhere(np.triu(matrix, 1) > 0)
    edges = [{"feature_a": a, "feature_b": b, "jaccard": matrix[a, b]} for a, b in pairs]
    summary, tests = [], []
    for number, (members, candidate, p) in enumerate(tested):
        inside = matrix[np.ix_(members, members)][np.triu_indices(len(members), 1)]
        mean = inside[inside > 0].mean() if (inside > 0).any() else None
        own = {"cluster_id": number, "members": members, "members_sha": members_sha(members), "mean_jaccard": mean}
        summary.append(own)
        tests.append({"cluster_id": number, "p_any": p, "candidate": candidate, "candidate_basis": "recon"})
    write_rows(edges, EDGES, folder / "edges.parquet")
    write_rows(summary, CLUSTERS_SUMMARY, folder / "summary.parquet")
    write_rows(tests, SHAPE_TESTS, folder / "tests.parquet")
    write_array(decoder, folder / "decoder.npy")
    settings = {
        "summary_path": folder / "summary.parquet",
        "edges_path": folder / "edges.parquet",
        "index": index,
        "decoder_path": folder / "decoder.npy",
        "settings": SETTINGS,
        "n_sets": 20,
        "max_q": 0.05,
        "seed": 0,
        "sets_path": folder / "sets.parquet",
    }
    compare_connected_sets(folder / "tests.parquet", **settings | options)
    table = read_table(folder / "sets.parquet")
    assert table.schema.equals(CONNECTED_SETS)
    return table.to_pylist()


def test_a_ring_stands_out_from_connected_sets(tmp_path, corpus):
    blob = list(range(7, 14))
    rows = compare(tmp_path, corpus, [(RING, "circle", 0.001), (blob, "circle", 0.001)])
    ring, other = rows
    assert (ring["shape"], ring["basis"], ring["n_sets"]) == ("circle", "recon", 20)
    assert ring["p_connected"] == pytest.approx(1 / 21)
    assert ring["statistic"] > ring["sets_q95"] >= ring["sets_median"]
    assert other["p_connected"] > 1 / 21


def test_only_called_clusters_are_compared(tmp_path, corpus):
    tested = [(RING, "circle", 0.001), (list(range(7, 14)), "circle", 0.4), (list(range(14, 21)), None, 0.001)]
    assert [row["cluster_id"] for row in compare(tmp_path, corpus, tested)] == [0]
    assert compare(tmp_path, corpus, [(RING, "circle", 0.5)]) == []
    assert compare(tmp_path, corpus, []) == []


def test_without_edges_inside_nothing_is_compared(tmp_path, corpus):
    row = compare(tmp_path, corpus, [([0, 7, 21], "circle", 0.001)])[0]
    assert (row["n_sets"], row["p_connected"], row["mean_jaccard"]) == (0, None, None)
    assert row["statistic"] is not None


def test_the_same_set_has_the_same_p_in_every_clustering(tmp_path, corpus):
    (tmp_path / "other").mkdir()
    one = compare(tmp_path, corpus, [(RING, "circle", 0.001)])[0]
    other = compare(tmp_path / "other", corpus, [([7, 8], None, 0.001), (RING, "circle", 0.001)])[0]
    assert {**one, "cluster_id": 1} == other


def test_simplices_are_compared_by_their_vertices(tmp_path, corpus):
    tests = [{"cluster_id": 0, "p_any": 0.001, "candidate": "simplex", "candidate_vertices": 3}]
    write_rows(tests, SHAPE_TESTS, tmp_path / "t.parquet")
    assert called_clusters(tmp_path / "t.parquet", max_q=0.05)[0]["candidate_vertices"] == 3
    index, decoder = corpus
    assert StatisticOf(index, decoder, SETTINGS, seed=0)(RING, shape="simplex_3", basis="recon") == 0
    belief = np.random.default_rng(5).dirichlet([0.6, 0.6, 0.6], 500) * 4
    measure = StatisticOf(array_index(belief), np.eye(3, dtype=np.float32), SETTINGS, seed=0)
    assert measure([0, 1, 2], shape="simplex_3", basis="recon") > 0.5
    assert measure([0, 1, 2], shape="simplex_4", basis="recon") == 0


@pytest.mark.parametrize("basis", ["recon", "act"])
def test_the_statistic_is_that_of_the_trimmed_cloud(corpus, basis):
    index, decoder = corpus
    found = StatisticOf(index, decoder, SETTINGS, seed=0)(RING, shape="circle", basis=basis)
    dense = index.dense[:, RING].astype(np.float64)
    dense = dense[(dense > 0).any(axis=1)]
    points = dense @ decoder[RING].astype(np.float64) if basis == "recon" else dense
    far = np.linalg.norm(points - points.mean(axis=0), axis=1)
    kept = np.sort(np.argsort(far)[: len(points) - int(0.05 * len(points))])
    scores = (
        pca_reconstruction(dense[kept], decoder[RING]).scores
        if basis == "recon"
        else pca_restricted(dense[kept]).scores
    )
    assert found == pytest.approx(max(LEAST_STATISTIC, circle_statistic(make_cloud(scores, trim=0))), abs=1e-6)


def test_too_few_points_have_no_statistic(corpus):
    index, decoder = corpus
    measure = StatisticOf(index, decoder, SETTINGS | {"min_points": 10_000}, seed=0)
    assert measure(RING, shape="circle", basis="recon") is None
