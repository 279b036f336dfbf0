"""Stability of clusters: seeds, shards, neighbours, against counting again and matching by hand."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from clustering_data import planted_edges, write_cosine_edges, write_edges
from synthetic_shards import make_edges, write_shards

from coactivation_manifolds.clustering.cluster import cluster_edges, partition_graph
from coactivation_manifolds.clustering.graph import coactivation_graph, read_edges
from coactivation_manifolds.clustering.membership import rank_clusters, read_clusters
from coactivation_manifolds.clustering.neighbors import sweep_neighbors
from coactivation_manifolds.clustering.shard_bootstrap import (
    ShardFiles,
    draw_shards,
    resample_counts,
    resampled_edges,
)
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.clustering.stability import (
    mean_best_match,
    measure_stability,
    other_seeds,
)
from coactivation_manifolds.errors import InputError, ResultsError
from coactivation_manifolds.schemas import STABILITY
from coactivation_manifolds.storage import read_table


def firing_groups(seed=0, *, n_tokens=600, sizes=(6, 5, 4), n_others=9):
    """Groups of latents that fire together, the last one in the first third of the tokens only, and rare others."""
    rng = np.random.default_rng(seed)
    fires = rng.random((n_tokens, sum(sizes) + n_others)) < 0.03
    begin = 0
    for size in sizes:
        on = rng.random(n_tokens) < 0.15
        if begin + size == sum(sizes):
            on &= np.arange(n_tokens) < n_tokens // 3
        fires[:, begin : begin + size] |= on[:, None] & (rng.random((n_tokens, size)) < 0.8)
        begin += size
    return fires


def counted(fires, folder, cuts, *, floor=0.05):
    """Edges of a corpus that is cut into shards, and each shard's files."""
    made = make_edges(write_shards(fires, folder / "shards", cuts=cuts), folder / "counts", floor=floor)
    names = [folder / "counts" / f"{shard:06d}" for shard in range(len(cuts) + 1)]
    files = [ShardFiles(f"{name}.parquet", f"{name}.recount.parquet", f"{name}.npy", f"{name}.json") for name in names]
    return made["edges"], files


CUTS = [150, 200, 430]


@pytest.mark.parametrize(
    "name", ["components_j0.10", "leiden_cpm_phi_j0.05_r0.050_s0", "leiden_cpm_overlap_j0.05_r0.050_s0"]
)
def test_resamples_equal_counting_the_drawn_shards_again(tmp_path, name):
    fires = firing_groups()
    spec = parse_spec(name)
    edges_path, shards = counted(fires, tmp_path, CUTS)
    edges = read_edges(edges_path, spec)
    times = draw_shards(len(shards), 6, rng=np.random.default_rng(1))
    counts = resample_counts(edges, shards, times)
    a, b = edges["feature_a"].to_numpy(), edges["feature_b"].to_numpy()
    parts = [fires[low:high] for low, high in pairwise([0, *CUTS, len(fires)])]
    for drawn, table, n_tokens in zip(times, resampled_edges(edges, counts, spec), counts.n_tokens, strict=True):
        corpus = np.concatenate([part for part, count in zip(parts, drawn, strict=True) for _ in range(count)])
        dense = corpus.astype(np.int64)
        joint, n = dense.T @ dense, dense.sum(axis=0)
        assert n_tokens == len(corpus)
        np.testing.assert_array_equal(table["n_ab"].to_numpy(), joint[a, b])
        np.testing.assert_array_equal(table["n_a"].to_numpy(), n[a])
        np.testing.assert_array_equal(table["n_b"].to_numpy(), n[b])
        if spec.weight == "phi":
            expected = [np.corrcoef(corpus[:, i], corpus[:, j])[0, 1] for i, j in zip(a, b, strict=True)]
            np.testing.assert_allclose(table["phi"].to_numpy(), expected, atol=1e-12)
        if spec.weight == "overlap":
            np.testing.assert_allclose(table["overlap"].to_numpy(), joint[a, b] / np.minimum(n[a], n[b]))


def test_shards_are_drawn_with_replacement():
    times = draw_shards(7, 4_000, rng=np.random.default_rng(0))
    assert times.shape == (4_000, 7) and (times.sum(axis=1) == 7).all()
    np.testing.assert_allclose(times.mean(axis=0), 1.0, atol=0.06)
    np.testing.assert_allclose((times == 0).mean(axis=0), (6 / 7) ** 7, atol=0.03)


def test_best_matches_are_averaged():
    own = rank_clusters([0, 1, 2, 3, 5, 6], [0, 0, 0, 0, 1, 1])
    same = rank_clusters([0, 1, 2, 3, 5, 6], [0, 0, 0, 0, 1, 1])
    split = rank_clusters([0, 1, 2, 3, 7, 8], [0, 0, 0, 1, 2, 2])
    np.testing.assert_allclose(mean_best_match(own, [same, split]), [(1 + 3 / 4) / 2, (1 + 0) / 2])


def measured(tmp_path, name, edges_path, **options):
    defaults = {
        "cosine_edges_path": None,
        "shards": [],
        "neighbor_paths": [],
        "n_seeds": 3,
        "n_bootstraps": 8,
        "seed": 0,
        "stability_path": tmp_path / "stability.parquet",
    }
    clusters = tmp_path / f"{name}.parquet"
    if not clusters.exists():
        cluster_edges(name, edges_path=edges_path, clusters_path=clusters)
    measure_stability(name, clusters, edges_path=edges_path, **defaults | options)
    table = read_table(tmp_path / "stability.parquet")
    assert table.schema.equals(STABILITY)
    return table.to_pydict()


def test_components_over_shards_and_the_sweep(tmp_path):
    edges_path, shards = counted(firing_groups(), tmp_path, CUTS)
    names = ["components_j0.30", "components_j0.20", "components_j0.70"]
    others = [tmp_path / f"{name}.parquet" for name in names[1:]]
    for name, path in zip(names[1:], others, strict=True):
        cluster_edges(name, edges_path=edges_path, clusters_path=path)
    found = measured(tmp_path, names[0], edges_path, shards=shards, neighbor_paths=others)
    assert found["cluster_id"] == list(range(len(found["cluster_id"])))
    assert set(found["stability_seeds"]) == {None}
    own = read_clusters(tmp_path / f"{names[0]}.parquet")[0]
    np.testing.assert_array_equal(found["stability_sweep"], mean_best_match(own, (read_clusters(p)[0] for p in others)))
    spec = parse_spec(names[0])
    times = draw_shards(len(shards), 8, rng=np.random.default_rng([0, 1]))
    edges = read_edges(edges_path, spec)
    again = [
        partition_graph(coactivation_graph(table, spec), spec).clusters
        for table in resampled_edges(edges, resample_counts(edges, shards, times), spec)
    ]
    np.testing.assert_array_equal(found["stability_shards"], mean_best_match(own, again))
    both = np.mean([found["stability_shards"], found["stability_sweep"]], axis=0)
    np.testing.assert_allclose(found["stability"], both)
    # the group that fires in some shards only is lost where these are not drawn
    last = next(i for i, members in enumerate(own.members()) if set(members.tolist()) <= {11, 12, 13, 14})
    assert found["stability_shards"][last] < min(found["stability_shards"][:last])


def test_leiden_with_other_seeds(tmp_path):
    edges_path = write_edges(planted_edges(noise=60, between=0.2)[0], tmp_path)
    name = "leiden_modularity_jaccard_j0.05_r1.000_s0"
    found = measured(tmp_path, name, edges_path)
    own = read_clusters(tmp_path / f"{name}.parquet")[0]
    others = []
    for seed in other_seeds(0, 3, seed=0):
        other = tmp_path / f"seed{seed}.parquet"
        cluster_edges(name.replace("_s0", f"_s{seed}"), edges_path=edges_path, clusters_path=other)
        others.append(read_clusters(other)[0])
    np.testing.assert_array_equal(found["stability_seeds"], mean_best_match(own, others))
    assert found["stability"] == found["stability_seeds"]
    assert set(found["stability_shards"]) == {None}


def test_an_automatic_threshold_stays_the_one_found(tmp_path):
    edges_path, shards = counted(firing_groups(), tmp_path, CUTS)
    automatic = measured(tmp_path, "components_jauto", edges_path, shards=shards)
    assert automatic == measured(tmp_path, "components_j0.00", edges_path, shards=shards)


def test_one_shard_says_nothing_of_shards(tmp_path):
    edges_path, shards = counted(firing_groups(), tmp_path, [])
    found = measured(tmp_path, "components_j0.30", edges_path, shards=shards)
    assert set(found["stability_shards"]) == set(found["stability"]) == {None}


def test_cosine_clusterings_are_reseeded_on_their_own_graph(tmp_path):
    edges, group = planted_edges()
    edges_path = write_edges(edges, tmp_path)
    rng = np.random.default_rng(0)
    pairs = [(a, b) for a in range(len(group)) for b in range(a + 1, len(group))]
    cosine = write_cosine_edges([(a, b, float(rng.uniform(0.3, 0.9))) for a, b in pairs], tmp_path)
    reference = "leiden_cpm_jaccard_j0.05_r0.100_s0"
    cluster_edges(reference, edges_path=edges_path, clusters_path=tmp_path / "reference.parquet")
    for name in (f"cosine_matched_{reference}", "cosine_leiden_cpm_c0.30_r0.400_s0"):
        path = tmp_path / f"{name}.parquet"
        cluster_edges(
            name,
            edges_path=edges_path,
            clusters_path=path,
            cosine_edges_path=cosine,
            reference_path=tmp_path / "reference.parquet",
        )
        found = measured(tmp_path, name, edges_path, cosine_edges_path=cosine, shards=[ShardFiles("", "", "", "")] * 2)
        assert all(0 < value <= 1 for value in found["stability_seeds"])
        assert set(found["stability_shards"]) == {None}
        with pytest.raises(ResultsError, match=r"no cosine_edges\.parquet"):
            measured(tmp_path, name, edges_path)


def test_a_missing_shard_file_is_told(tmp_path):
    edges_path, shards = counted(firing_groups(), tmp_path, CUTS)
    wrong = shards[1]._replace(recount=tmp_path / "lost.parquet")
    with pytest.raises(InputError, match=r"lost\.parquet does not exist"):
        measured(tmp_path, "components_j0.30", edges_path, shards=[shards[0], wrong])


def test_other_seeds_differ():
    seeds = other_seeds(5, 4, seed=0)
    assert len({5, *seeds}) == 5
    assert seeds[0] not in other_seeds(seeds[0], 4, seed=0)
    assert other_seeds(5, 4, seed=0) == seeds != other_seeds(5, 4, seed=1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("components_j0.20", ["components_j0.10", "components_j0.30"]),
        ("components_j0.25", ["components_j0.20", "components_j0.30"]),
        ("components_j0.05", ["components_j0.10"]),
        ("components_j0.20_cos0.80", []),
        ("cosine_matched_components_j0.30", ["cosine_matched_components_j0.20"]),
        (
            "leiden_cpm_phi_j0.05_r0.050_s0",
            [f"leiden_cpm_phi_{rest}_s0" for rest in ("j0.10_r0.050", "j0.05_r0.020", "j0.05_r0.100")],
        ),
        ("leiden_cpm_phi_j0.05_r0.050_s1", []),
        ("cosine_components_c0.50", ["cosine_components_c0.60"]),
        ("cosine_components_c0.55", ["cosine_components_c0.50", "cosine_components_c0.60"]),
    ],
)
def test_neighbors_differ_in_one_number(name, expected):
    swept = [
        *(f"components_j{j}" for j in ("0.30", "0.10", "0.20")),
        *(f"leiden_cpm_phi_j0.05_r{r}_s0" for r in ("0.020", "0.050", "0.100", "0.200")),
        "leiden_cpm_phi_j0.10_r0.050_s0",
        "leiden_modularity_phi_j0.05_r0.060_s0",
        "cosine_components_c0.50",
        "cosine_components_c0.60",
    ]
    found = sweep_neighbors(parse_spec(name), map(parse_spec, swept))
    assert [spec.name for spec in found] == expected
    assert all(isinstance(spec.threshold, Decimal) for spec in found)
