import hashlib

import numpy as np
import pytest
from clustering_data import CountingIndex, edge_table, planted_edges, write_cosine_edges, write_edges
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.clustering.automatic import automatic_threshold, largest_component
from coactivation_manifolds.clustering.cluster import cluster_edges
from coactivation_manifolds.clustering.cosine_sweep import sweep_cosine
from coactivation_manifolds.clustering.graph import edge_columns
from coactivation_manifolds.clustering.pair_cosines import pair_cosines
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.clustering.summary import members_sha, summarize_clusters
from coactivation_manifolds.clustering.sweep import find_elbow, suggest_threshold, summarize_sweep
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import CLUSTERS_SUMMARY, SWEEP_SUMMARY
from coactivation_manifolds.similarity.cosine import row_norms
from coactivation_manifolds.storage import read_table, write_array

NULL_WITHOUT_DECODER = [
    *("mean_cosine", "min_cosine", "max_cosine"),
    *("cosine_match_id", "cosine_match_jaccard", "cosine_best_jaccard", "missed_by_cosine"),
]


def summarize(tmp_path, name, edges, triples=None, decoder=None):
    edges_path, clusters_path = write_edges(edges, tmp_path), tmp_path / "c.parquet"
    cluster_edges(name, edges_path=edges_path, clusters_path=clusters_path)
    options = {}
    if decoder is not None:
        write_array(decoder, tmp_path / "decoder.npy")
        options["decoder_path"] = tmp_path / "decoder.npy"
    if triples is not None:
        cosine_path = write_cosine_edges(triples, tmp_path)
        options |= {"cosine_clusters_path": tmp_path / "m.parquet", "cosine_sweep_path": tmp_path / "s.parquet"}
        cluster_edges(
            f"cosine_matched_{name}",
            edges_path=edges_path,
            cosine_edges_path=cosine_path,
            reference_path=clusters_path,
            clusters_path=options["cosine_clusters_path"],
        )
        sweep_cosine(cosine_path, sweep_path=options["cosine_sweep_path"])
    summarize_clusters(
        name,
        clusters_path,
        edges_path=edges_path,
        index=CountingIndex(),
        summary_path=tmp_path / "summary.parquet",
        **options,
    )
    table = read_table(tmp_path / "summary.parquet")
    assert table.schema.remove_metadata() == CLUSTERS_SUMMARY
    return table


def test_a_summary_with_everything(tmp_path):
    # clusters {1, 2, 3} (one pair without an edge, one below the threshold) and {5, 6}
    edges = edge_table(
        [(1, 2), (1, 3), (2, 3), (2, 5), (5, 6)], [(10, 10, 6), (10, 10, 3), (10, 10, 5), (10, 10, 1), (10, 10, 9)]
    ).filter([True, False, True, True, True])
    edges = edge_table(
        [(1, 2), (2, 3), (2, 5), (3, 4), (5, 6)], [(10, 10, 6), (10, 10, 5), (10, 10, 1), (10, 10, 4), (10, 10, 9)]
    )
    decoder = np.zeros((8, 2), dtype=np.float32)
    decoder[[1, 2, 3]] = [[1, 0], [0, 2], [3, 3]]
    decoder[5] = [1, 1]  # latent 6 has a zero row: no cosine
    triples = [(1, 2, 0.9), (1, 3, 0.8), (2, 7, 0.4)]
    table = summarize(tmp_path, "components_j0.30", edges, triples, decoder)
    first, second = table.to_pylist()
    assert (first["cluster_id"], first["size"], first["members"]) == (0, 3, [1, 2, 3])
    assert first["n_pairs_present"] == 2
    assert first["mean_jaccard"] == pytest.approx((6 / 14 + 5 / 15) / 2)
    assert first["min_jaccard"] == 5 / 15
    assert first["mean_cosine"] == pytest.approx((0 + 2 * np.sqrt(0.5)) / 3)
    assert (first["min_cosine"], first["max_cosine"]) == pytest.approx((0, np.sqrt(0.5)))
    assert first["n_tokens_any"] == 2 + 3 + 4
    # three edges at Jaccard >= 0.30, so all three cosine pairs: {1, 2, 3, 7}; over the sweep {1, 2, 3} at 0.45 to 0.80
    assert (first["cosine_match_id"], first["cosine_match_jaccard"]) == (0, 0.75)
    assert (first["cosine_best_jaccard"], first["missed_by_cosine"]) == (1.0, False)
    assert first["members_sha"] == hashlib.sha256(b"1,2,3").hexdigest()
    assert second["mean_cosine"] is None
    assert second["cosine_match_id"] is None
    assert (second["cosine_match_jaccard"], second["cosine_best_jaccard"]) == (0, 0)
    assert second["missed_by_cosine"] is True
    assert table.schema.metadata[b"cosine_edges_cut"] == b"false"


def test_a_summary_without_a_decoder(tmp_path):
    edges, _ = planted_edges()
    table = summarize(tmp_path, "leiden_cpm_phi_j0.05_r0.200_s0", edges)
    assert len(table) >= 3
    for name in NULL_WITHOUT_DECODER:
        assert table[name].null_count == len(table)
    assert table["mean_jaccard"].null_count == 0


def test_a_summary_of_no_clusters(tmp_path):
    table = summarize(tmp_path, "components_j0.90", edge_table([], []), [(1, 2, 0.9)], np.eye(4, dtype=np.float32))
    assert len(table) == 0


def test_a_summary_of_a_cosine_clustering_without_edges_inside(tmp_path):
    edges_path = write_edges(edge_table([(0, 1)], [(10, 10, 5)]), tmp_path)
    cosine_path = write_cosine_edges([(2, 3, 0.9)], tmp_path)
    name = "cosine_components_c0.50"
    cluster_edges(name, edges_path=edges_path, cosine_edges_path=cosine_path, clusters_path=tmp_path / "c.parquet")
    table = summarize_clusters(
        name, tmp_path / "c.parquet", edges_path=edges_path, index=CountingIndex(), summary_path=tmp_path / "s.parquet"
    )
    row = table.to_pylist()[0]
    assert (row["mean_jaccard"], row["min_jaccard"], row["n_pairs_present"]) == (None, None, 0)


def test_a_decoder_of_another_sae_is_refused(tmp_path):
    edges = edge_table([(1, 9)], [(10, 10, 8)])
    with pytest.raises(InputError, match=r"shape \[4, 4\], but a cluster holds latent 9"):
        summarize(tmp_path, "components_j0.30", edges, None, np.eye(4, dtype=np.float32))


def test_the_name_of_a_member_set_does_not_depend_on_order():
    assert members_sha(np.array([10, 9], np.uint32)) == members_sha([9, 10]) == hashlib.sha256(b"9,10").hexdigest()


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 20),
    block=st.integers(1, 7),
    small=st.sampled_from([0, 30]),
    seed=st.integers(0, 20),
    zero=st.booleans(),
)
def test_pair_cosines_equal_brute_force(n, block, small, seed, zero):
    rng = np.random.default_rng(seed)
    decoder = rng.normal(size=(30, 5)).astype(np.float32)
    ids = rng.choice(30, n, replace=False)
    if zero:
        decoder[ids[0]] = 0
    rows = decoder[[i for i in ids if decoder[i].any()]].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    wanted = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    found = pair_cosines(decoder, row_norms(decoder), ids, small=small, block=block)
    if len(wanted):
        assert (found.mean, found.min, found.max) == pytest.approx(
            (wanted.mean(), wanted.min(), wanted.max()), abs=1e-12
        )
    else:
        assert (found.mean, found.min, found.max) == (None, None, None)


def test_equal_rows_have_a_cosine_of_at_most_one():
    row = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    decoder = np.repeat(row, 3, axis=0)
    for small in (0, 3):
        found = pair_cosines(decoder, row_norms(decoder), [0, 1, 2], small=small)
        assert found.min <= found.mean <= found.max <= 1


def sweep(tmp_path, names, edges, triples=None):
    edges_path = write_edges(edges, tmp_path)
    cosine_path = write_cosine_edges(triples, tmp_path) if triples is not None else None
    paths, matched = [], []
    for name in names:
        paths.append(tmp_path / f"{name}.parquet")
        cluster_edges(name, edges_path=edges_path, clusters_path=paths[-1], cosine_edges_path=cosine_path)
        if triples is not None and not parse_spec(name).from_cosine:
            matched.append(tmp_path / f"cosine_matched_{name}.parquet")
            cluster_edges(
                f"cosine_matched_{name}",
                edges_path=edges_path,
                cosine_edges_path=cosine_path,
                reference_path=paths[-1],
                clusters_path=matched[-1],
            )
    summarize_sweep(names, paths, matched, edges_path=edges_path, summary_path=tmp_path / "summary.parquet")
    table = read_table(tmp_path / "summary.parquet")
    assert table.schema.remove_metadata() == SWEEP_SUMMARY
    return table


def test_the_sweep_has_one_row_a_clustering(tmp_path):
    edges, _ = planted_edges()
    triples = [(0, 1, 0.9), (0, 2, 0.8), (8, 9, 0.7), (40, 41, 0.6)]
    names = ["components_j0.05", "cosine_components_c0.65", "leiden_cpm_phi_j0.05_r0.200_s0", "components_j0.90"]
    first, cosine, leiden, none = sweep(tmp_path, names, edges, triples).to_pylist()
    assert (first["method"], first["threshold"], first["resolution"]) == ("components", 0.05, None)
    assert first["n_edges"] == len(edges)
    assert -1 <= first["ami_cosine"] <= 1
    assert (cosine["method"], cosine["threshold"], cosine["ami_cosine"]) == ("cosine_components", None, None)
    assert (cosine["n_clusters"], cosine["n_clustered"], cosine["median_size"], cosine["max_size"]) == (2, 5, 2.5, 3)
    assert (leiden["method"], leiden["resolution"]) == ("leiden", 0.2)
    assert leiden["modularity"] > 0.5
    assert (none["n_clusters"], none["median_size"], none["max_size"], none["modularity"]) == (0, None, 0, None)
    assert none["ami_cosine"] is None


def test_a_sweep_without_a_decoder_has_no_ami(tmp_path):
    edges, _ = planted_edges()
    table = sweep(tmp_path, ["components_j0.05", "components_j0.30"], edges)
    assert table["ami_cosine"].null_count == 2
    assert "the sweep has no elbow" in suggest_threshold(table)[1]  # of two thresholds


def test_matched_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(InputError, match="2 clusterings are compared, but 1 cosine"):
        summarize_sweep(
            ["components_j0.10", "components_j0.20"], ["a", "b"], ["c"], edges_path="e", summary_path=tmp_path / "s"
        )


def chain(n, *, jaccards):
    """A chain of n latents; every k-th link has jaccards[k]."""
    pairs = [(i, i + 1) for i in range(n - 1)]
    union = 10_000
    counts = []
    for i in range(n - 1):
        n_ab = round(union * jaccards[i % len(jaccards)])
        counts.append((n_ab, union, n_ab))
    return edge_table(pairs, counts, n_tokens=10**6).select(edge_columns(parse_spec("components_j0.00")))


def test_the_automatic_threshold_is_the_smallest_that_fits():
    edges = chain(500, jaccards=[0.6] * 9 + [0.23])  # breaks into tens above 0.23
    found = automatic_threshold(edges)
    assert found["automatic_threshold"] == "0.24"
    assert (found["automatic_largest"], found["largest_one_step_below"]) == ("10", "500")
    sizes = [largest_component(edges, parse_spec(f"components_j{t / 100:.2f}").threshold) for t in range(101)]
    assert next(t for t, size in enumerate(sizes) if size <= 200) == 24


def test_the_automatic_threshold_where_nothing_fits_or_all_does():
    always = chain(300, jaccards=[1.0])
    found = automatic_threshold(always)
    assert (found["automatic_threshold"], found["automatic_largest"]) == ("", "300")
    assert "automatic_threshold" not in automatic_threshold(always, largest_allowed=300)


def test_the_elbow_lies_farthest_under_the_chord():
    assert find_elbow([0.1, 0.2, 0.3, 0.4], [1000, 12, 10, 8]) == 1
    assert find_elbow([0.1, 0.2, 0.3], [1000, 100, 10]) is None
    assert find_elbow([0.1, 0.2], [1000, 10]) is None
    assert find_elbow([0.1, 0.2, 0.3], [5, 5, 5]) is None


def test_suggestions_tell_why(tmp_path):
    full = edge_table(
        [(i, i + 1) for i in range(499)],
        [(6000, 10_000, 6000) if (i + 1) % 10 else (2300, 10_000, 2300) for i in range(499)],
        n_tokens=10**6,
    )
    name, reason = suggest_threshold(sweep(tmp_path, ["components_j0.10", "components_j0.30"], full))
    assert name == "components_j0.24"
    assert reason == "the smallest Jaccard whose largest component has at most 200 latents (10; 500 at 0.23)"

    edges, _ = planted_edges(noise=60)
    names = ["components_j0.05", "components_j0.30", "components_j0.45", "leiden_cpm_phi_j0.05_r0.200_s0"]
    name, reason = suggest_threshold(sweep(tmp_path, names, edges))
    assert name == "components_j0.30"
    assert "no threshold gives a component of more than 200 latents" in reason
    assert "8 latents at 0.30" in reason

    name, reason = suggest_threshold(sweep(tmp_path, ["components_j0.90"], edges))
    assert (name, reason) == (None, "no connected components with a cluster were swept")

    always = edge_table([(i, i + 1) for i in range(300)], [(50, 50, 50)] * 300)
    name, reason = suggest_threshold(sweep(tmp_path, ["components_j0.50", "components_j0.90"], always))
    assert name == "components_j0.90"
    assert "even at 1.00 the largest component has 301 latents, more than 200" in reason
