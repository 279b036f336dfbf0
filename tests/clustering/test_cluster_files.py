import numpy as np
import pyarrow as pa
import pytest
from clustering_data import edge_table, planted_edges, write_cosine_edges, write_edges

from coactivation_manifolds.clustering.cluster import close_enough, cluster_edges
from coactivation_manifolds.clustering.cosine_sweep import sweep_cosine, sweep_specs, swept_clusters
from coactivation_manifolds.clustering.membership import read_clusters
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.errors import ConfigError, InputError
from coactivation_manifolds.schemas import CLUSTERS, COSINE_SWEEP
from coactivation_manifolds.storage import read_table, sha256_file


def members(clusters):
    return [m.tolist() for m in clusters.members()]


def cosine_blocks(seed=0, *, groups=(20, 15, 12, 8, 5, 4), noise=60):
    """Cosine pairs: groups that hang together ever less tightly, and weak pairs."""
    rng = np.random.default_rng(seed)
    triples, start = {}, 0
    for number, size in enumerate(groups):
        for a in range(start, start + size):
            for b in range(a + 1, start + size):
                triples[a, b] = 0.9 - 0.1 * number + rng.uniform(-0.02, 0.02)
        start += size
    for _ in range(noise):
        a, b = sorted(rng.choice(start + 20, 2, replace=False).tolist())
        triples.setdefault((a, b), rng.uniform(0.05, 0.3))
    return [(a, b, c) for (a, b), c in sorted(triples.items())]


def test_components_and_their_file(tmp_path):
    edges, group_of = planted_edges()
    path = write_edges(edges, tmp_path)
    clusters = cluster_edges("components_j0.30", edges_path=path, clusters_path=tmp_path / "clusters.parquet")
    assert members(clusters) == [np.flatnonzero(group_of == g).tolist() for g in range(3)]
    table = read_table(tmp_path / "clusters.parquet")
    assert table.schema.remove_metadata() == CLUSTERS
    read, made_with = read_clusters(tmp_path / "clusters.parquet")
    assert members(read) == members(clusters)
    assert made_with["n_edges"] == str(28 + 15 + 10)
    assert 0.5 < float(made_with["modularity"]) < 1


@pytest.mark.parametrize("name", ["components_j0.30", "leiden_modularity_overlap_j0.05_r1.000_s4"])
def test_the_same_bytes_whatever_the_order_of_edges(tmp_path, name):
    edges, _ = planted_edges()
    shas = []
    for seed in range(3):
        folder = tmp_path / str(seed)
        order = np.random.default_rng(seed).permutation(len(edges))
        path = write_edges(edges.take(order) if seed else edges, folder)
        cluster_edges(name, edges_path=path, clusters_path=folder / "c.parquet")
        shas.append(sha256_file(folder / "c.parquet"))
    assert len(set(shas)) == 1


@pytest.mark.parametrize("name", ["components_j0.90", "leiden_cpm_phi_j0.90_r0.050_s0"])
def test_no_cluster_is_a_valid_empty_table_with_a_warning(tmp_path, caplog, name):
    for edges in (edge_table([(1, 2)], [(10, 10, 5)]), edge_table([], [])):
        path = write_edges(edges, tmp_path)
        clusters = cluster_edges(name, edges_path=path, clusters_path=tmp_path / "c.parquet")
        assert clusters.n_clusters == 0
        assert f"{name} has no cluster" in caplog.text
        assert read_clusters(tmp_path / "c.parquet")[0].n_clustered == 0


def test_cosine_components(tmp_path):
    edges = write_edges(edge_table([], []), tmp_path)
    cosine = write_cosine_edges([(1, 2, 0.5), (2, 3, 0.5), (4, 5, 0.49)], tmp_path)
    clusters = cluster_edges(
        "cosine_components_c0.50", edges_path=edges, cosine_edges_path=cosine, clusters_path=tmp_path / "c.parquet"
    )
    assert members(clusters) == [[1, 2, 3]]


@pytest.mark.parametrize(("name", "cut"), [("cosine_components_c0.49", "true"), ("cosine_components_c0.50", "false")])
def test_a_list_of_pairs_cut_above_the_threshold_is_said(tmp_path, caplog, name, cut):
    cosine = write_cosine_edges([(1, 2, 0.6), (2, 3, 0.5), (4, 5, 0.495)], tmp_path, metadata={"cut": "true"})
    made = tmp_path / "c.parquet"
    cluster_edges(name, edges_path=tmp_path / "none", cosine_edges_path=cosine, clusters_path=made)
    assert read_table(made).schema.metadata[b"cosine_edges_cut"] == cut.encode()
    assert ("lacks pairs: similarity.max_cosine_edges cut the list" in caplog.text) == (cut == "true")


@pytest.mark.parametrize("name", ["cosine_components_c0.50", "cosine_matched_components_j0.20"])
def test_cosine_clusterings_without_a_decoder_say_so(tmp_path, name):
    with pytest.raises(ConfigError, match="needs an experiment with a decoder"):
        cluster_edges(name, edges_path=write_edges(edge_table([], []), tmp_path), clusters_path=tmp_path / "c.parquet")


def test_a_missing_edges_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"edges\.parquet does not exist"):
        cluster_edges("components_j0.20", edges_path=tmp_path / "edges.parquet", clusters_path=tmp_path / "c.parquet")


def make_matched(tmp_path, reference, edges, triples):
    edges_path, cosine_path = write_edges(edges, tmp_path), write_cosine_edges(triples, tmp_path)
    reference_path, matched_path = tmp_path / "reference.parquet", tmp_path / "matched.parquet"
    wanted = cluster_edges(reference, edges_path=edges_path, clusters_path=reference_path)
    matched = cluster_edges(
        f"cosine_matched_{reference}",
        edges_path=edges_path,
        cosine_edges_path=cosine_path,
        reference_path=reference_path,
        clusters_path=matched_path,
    )
    return wanted, matched, read_clusters(matched_path)[1]


def test_matched_components_have_as_many_edges(tmp_path):
    edges, _ = planted_edges()
    triples = cosine_blocks()
    _, matched, made_with = make_matched(tmp_path, "components_j0.30", edges, triples)
    assert made_with["n_edges"] == made_with["n_edges_wanted"] == "53"
    top = sorted(triples, key=lambda t: (-t[2], t[0], t[1]))[:53]
    assert set(matched.feature_ids.tolist()) == {x for t in top for x in t[:2]}
    assert made_with["all_cosine_edges_taken"] == "false"


def test_matched_takes_all_pairs_where_there_are_too_few(tmp_path, caplog):
    edges, _ = planted_edges()
    _, matched, made_with = make_matched(tmp_path, "components_j0.30", edges, [(1, 2, 0.9), (3, 4, 0.8)])
    assert members(matched) == [[1, 2], [3, 4]]
    assert (made_with["n_edges"], made_with["n_edges_wanted"]) == ("2", "53")
    assert made_with["all_cosine_edges_taken"] == "true"
    assert "fewer than the 53" in caplog.text


def test_matched_modularity_keeps_its_resolution(tmp_path):
    edges, _ = planted_edges()
    _, _, made_with = make_matched(tmp_path, "leiden_modularity_phi_j0.05_r1.500_s2", edges, cosine_blocks())
    assert float(made_with["resolution"]) == 1.5


def test_matched_cpm_bisects_to_the_number_of_clustered_latents(tmp_path):
    # pairs of cosine 0.30, 0.31, ...: at resolution r those above r stay together, so each number can be reached
    triples = [(2 * i, 2 * i + 1, 0.30 + 0.005 * i) for i in range(100)]
    pairs = [(2 * i, 2 * i + 1) for i in range(100)]
    counts = [(100, 100, 95 if i < 37 else 5) for i in range(100)]
    edges = edge_table(pairs, counts, phi=np.where(np.arange(100) < 37, 0.9, 0.01))
    wanted, matched, made_with = make_matched(tmp_path, "leiden_cpm_phi_j0.02_r0.500_s0", edges, triples)
    assert wanted.n_clustered == 74
    assert close_enough(matched.n_clustered, 74)
    assert matched.n_clustered == 74
    assert 0.30 + 0.005 * 62 < float(made_with["resolution"]) <= 0.30 + 0.005 * 63
    assert made_with["n_clustered_wanted"] == made_with["n_clustered"] == "74"


def test_matched_cpm_takes_the_nearest_where_no_resolution_fits(tmp_path, caplog):
    triples = [(2 * i, 2 * i + 1, 0.5) for i in range(30)]  # all or none
    edges = edge_table([(2 * i, 2 * i + 1) for i in range(30)], [(100, 100, 95)] * 20 + [(100, 100, 5)] * 10)
    _, matched, made_with = make_matched(tmp_path, "leiden_cpm_jaccard_j0.02_r0.500_s0", edges, triples)
    assert matched.n_clustered == 60
    assert made_with["n_clustered_wanted"] == "40"
    assert "nearest to the 40 wanted" in caplog.text


def test_matched_cpm_without_any_edge(tmp_path):
    _, matched, made_with = make_matched(tmp_path, "leiden_cpm_phi_j0.90_r0.050_s0", edge_table([], []), [(1, 2, 0.9)])
    assert matched.n_clusters == 0
    assert made_with["modularity"] == ""


def test_the_cosine_sweep_holds_every_clustering(tmp_path):
    cosine = write_cosine_edges(cosine_blocks(), tmp_path)
    sweep_cosine(cosine, sweep_path=tmp_path / "sweep.parquet")
    sweep = read_table(tmp_path / "sweep.parquet")
    assert sweep.schema.remove_metadata() == COSINE_SWEEP
    names = [spec.name for spec in sweep_specs()]
    assert names[0] == "cosine_components_c0.30"
    assert names[13] == "cosine_components_c0.95"
    assert len(names) == len(set(names))
    found = dict(swept_clusters(sweep, parse_spec("components_j0.20")))
    assert [len(m) for m in members(found["cosine_components_c0.65"])] == [20, 15, 12]
    leiden = dict(swept_clusters(sweep, parse_spec("leiden_cpm_phi_j0.05_r0.100_s3")))
    assert all(name.startswith("cosine_leiden_cpm_c0.30") for name in leiden)
    direct = cluster_edges(
        "cosine_leiden_cpm_c0.30_r0.500_s0",
        edges_path=write_edges(edge_table([], []), tmp_path),
        cosine_edges_path=cosine,
        clusters_path=tmp_path / "c.parquet",
    )
    assert members(leiden["cosine_leiden_cpm_c0.30_r0.500_s0"]) == members(direct)


def test_the_cosine_sweep_of_no_pairs_is_empty(tmp_path):
    sweep_cosine(write_cosine_edges([], tmp_path), sweep_path=tmp_path / "sweep.parquet")
    sweep = read_table(tmp_path / "sweep.parquet")
    assert len(sweep) == 0
    assert list(swept_clusters(sweep, parse_spec("components_j0.20"))) == []


@pytest.mark.parametrize("cut", ["true", "false"])
def test_a_cut_list_of_cosine_pairs_is_flagged(tmp_path, caplog, cut):
    cosine = write_cosine_edges(cosine_blocks(), tmp_path, metadata={"cut": cut})
    sweep_cosine(cosine, sweep_path=tmp_path / "sweep.parquet")
    assert read_table(tmp_path / "sweep.parquet").schema.metadata[b"cosine_edges_cut"] == cut.encode()
    assert ("was cut" in caplog.text) == (cut == "true")
    assert isinstance(read_table(tmp_path / "sweep.parquet"), pa.Table)
