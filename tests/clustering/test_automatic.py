"""Clusterings that find their threshold, on planted graphs."""

from decimal import Decimal

import numpy as np
import pytest
from clustering_data import CountingIndex, edge_table, write_cosine_edges, write_edges

from coactivation_manifolds.clustering.automatic import settle_threshold
from coactivation_manifolds.clustering.cluster import cluster_edges
from coactivation_manifolds.clustering.graph import coactivation_graph, read_edges
from coactivation_manifolds.clustering.membership import footer, read_clusters
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.clustering.summary import summarize_clusters
from coactivation_manifolds.clustering.sweep import suggest_threshold, summarize_sweep
from coactivation_manifolds.storage import read_table

UNION = 10_000


def planted_graph(*, groups=30, size=20, bridge=0.137, inside=0.4):
    """Groups of latents held together at one Jaccard, joined in a chain by single edges of a smaller one."""
    pairs, joint = [], []
    for group in range(groups):
        first = group * size
        pairs += [(first + i, first + i + 1) for i in range(size - 1)]
        joint += [round(inside * UNION)] * (size - 1)
        if group:
            pairs.append((first - 1, first))
            joint.append(round(bridge * UNION))
    order = np.lexsort(np.array(pairs).T[::-1])
    counts = [(n_ab, UNION, n_ab) for n_ab in joint]  # one latent within the other: Jaccard n_ab / union
    cosine = np.where(np.array(joint) == round(bridge * UNION), 0.9, 0.1)
    return edge_table(np.array(pairs)[order], np.array(counts)[order], n_tokens=10**6, cosine=cosine[order])


def make(tmp_path, name, edges, **options):
    path = tmp_path / f"{name}.parquet"
    cluster_edges(name, edges_path=write_edges(edges, tmp_path), clusters_path=path, **options)
    return path


@pytest.mark.parametrize(("bridge", "expected"), [(0.137, "0.14"), (0.14, "0.15"), (0.29, "0.30")])
def test_the_bridges_are_cut_and_no_more(tmp_path, bridge, expected):
    edges = planted_graph(bridge=bridge)
    path = make(tmp_path, "components_jauto", edges)
    clusters, made_with = read_clusters(path)
    assert made_with["threshold"] == expected
    assert made_with["clustering"] == "components_jauto"
    assert clusters.sizes.tolist() == [20] * 30
    fixed = read_clusters(make(tmp_path, f"components_j{expected}", edges))[0]
    np.testing.assert_array_equal(clusters.cluster_ids, fixed.cluster_ids)
    np.testing.assert_array_equal(clusters.feature_ids, fixed.feature_ids)


def test_a_cap_is_applied_before_the_threshold_is_looked_for(tmp_path):
    clusters, made_with = read_clusters(make(tmp_path, "components_jauto_cos0.80", planted_graph()))
    assert made_with["threshold"] == "0.00"  # the bridges are alike in direction, so nothing is left to cut
    assert clusters.sizes.tolist() == [20] * 30


def test_small_graphs_keep_all_edges_and_tied_ones_go_to_one(tmp_path, caplog):
    few = planted_graph(groups=3)
    clusters, made_with = read_clusters(make(tmp_path, "components_jauto", few))
    assert (made_with["threshold"], clusters.sizes.tolist()) == ("0.00", [60])
    tied = planted_graph(bridge=1.0, inside=1.0)
    with caplog.at_level("WARNING"):
        clusters, made_with = read_clusters(make(tmp_path, "components_jauto", tied))
    assert (made_with["threshold"], clusters.sizes.tolist()) == ("1.00", [600])
    assert "even at 1.00 the largest component has 600 latents" in caplog.text


def test_no_graph_without_a_threshold(tmp_path):
    spec = parse_spec("components_jauto")
    edges = read_edges(write_edges(planted_graph(), tmp_path), spec)
    with pytest.raises(ValueError, match="has no threshold yet"):
        coactivation_graph(edges, spec)
    assert settle_threshold(spec, edges)[0] == spec.at(Decimal("0.14"))


def test_the_threshold_is_told_in_the_summaries(tmp_path):
    edges = planted_graph()
    edges_path = write_edges(edges, tmp_path)
    names = ["components_j0.10", "components_jauto", "components_j0.50"]
    files = [make(tmp_path, name, edges) for name in names]
    summarize_sweep(names, files, [], edges_path=edges_path, summary_path=tmp_path / "sweep.parquet")
    sweep = read_table(tmp_path / "sweep.parquet")
    assert sweep["threshold"].to_pylist() == [0.10, 0.14, 0.50]
    assert suggest_threshold(sweep)[0] == "components_j0.14"
    summary = tmp_path / "summary.parquet"
    summarize_clusters(names[1], files[1], edges_path=edges_path, index=CountingIndex(), summary_path=summary)
    assert footer(read_table(summary).schema)["threshold"] == "0.14"


def test_the_matched_clustering_follows_the_threshold_found(tmp_path):
    edges = planted_graph()
    cosine = write_cosine_edges([(a, a + 1, 0.3 + a / 1000) for a in range(590)], tmp_path)
    reference = make(tmp_path, "components_jauto", edges)
    name = "cosine_matched_components_jauto"
    matched = make(tmp_path, name, edges, cosine_edges_path=cosine, reference_path=reference)
    made_with = read_clusters(matched)[1]
    assert (made_with["threshold"], made_with["n_edges_wanted"]) == ("0.14", str(30 * 19))
