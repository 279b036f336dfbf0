import random
from decimal import Decimal
from fractions import Fraction

import igraph
import numpy as np
import pyarrow as pa
import pytest
from clustering_data import edge_table, planted_edges
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.clustering.components import component_labels
from coactivation_manifolds.clustering.graph import (
    coactivation_graph,
    cosine_graph,
    make_graph,
    modularity,
    most_similar_graph,
)
from coactivation_manifolds.clustering.leiden import leiden_labels, seeded_igraph
from coactivation_manifolds.clustering.membership import (
    Clusters,
    rank_clusters,
    read_clusters,
    write_clusters,
)
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import COSINE_EDGES, conform
from coactivation_manifolds.storage import write_table


def threshold_spec(cents):
    return parse_spec(f"components_j{cents / 100:.2f}")


PAIRS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda p: p[0] != p[1]).map(lambda p: tuple(sorted(p))),
    unique=True,
    max_size=30,
)


def sets(clusters: Clusters) -> list[list[int]]:
    return [m.tolist() for m in clusters.members()]


def brute_force_components(pairs):
    """Merge sets until nothing changes, then rank by size and smallest member."""
    found = [set(p) for p in pairs]
    changed = True
    while changed:
        changed = False
        for i in range(len(found)):
            for j in range(i + 1, len(found)):
                if found[i] & found[j]:
                    found[i] |= found.pop(j)
                    changed = True
                    break
            if changed:
                break
    return sorted((sorted(f) for f in found), key=lambda f: (-len(f), f[0]))


@settings(deadline=None, max_examples=150)
@given(pairs=PAIRS)
def test_components_equal_brute_force(pairs):
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    graph = make_graph(array[:, 0], array[:, 1])
    assert sets(rank_clusters(graph.nodes, component_labels(graph))) == brute_force_components(pairs)


@settings(deadline=None, max_examples=200)
@given(
    n_ab=st.integers(1, 500),
    more_a=st.integers(0, 500),
    more_b=st.integers(0, 500),
    cents=st.integers(0, 100),
    scale=st.sampled_from([1, 7, 10**7, 10**9]),
)
def test_jaccard_is_tested_exactly(n_ab, more_a, more_b, cents, scale):
    n_a, n_b, both = (n_ab + more_a) * scale, (n_ab + more_b) * scale, n_ab * scale
    wanted = Fraction(both, n_a + n_b - both) >= Fraction(cents, 100)
    graph = coactivation_graph(edge_table([(1, 2)], [(n_a, n_b, both)], n_tokens=10**13), threshold_spec(cents))
    assert graph.n_edges == int(wanted)


def test_a_tie_at_the_threshold_is_an_edge():
    # 7 of 100: 0.07 * 100 is 7.000000000000001 in floats
    edges = edge_table([(1, 2), (3, 4)], [(57, 50, 7), (58, 50, 7)])
    graph = coactivation_graph(edges, parse_spec("components_j0.07"))
    assert graph.nodes.tolist() == [1, 2]


def test_the_cosine_cap_prunes_above_and_keeps_unknown():
    edges = edge_table(
        [(1, 2), (3, 4), (5, 6), (7, 8)], [(10, 10, 9)] * 4, cosine=pa.array([0.8, 0.8000001, None, -1.0])
    )
    graph = coactivation_graph(edges, parse_spec("components_j0.10_cos0.80"))
    assert graph.nodes.tolist() == [1, 2, 5, 6, 7, 8]


def test_a_cap_prunes_nothing_where_no_cosine_is_known(caplog):
    graph = coactivation_graph(edge_table([(1, 2)], [(5, 5, 4)]), parse_spec("components_j0.10_cos0.80"))
    assert graph.n_edges == 1
    assert "no edge has one: nothing is pruned" in caplog.text


@pytest.mark.parametrize("objective", ["cpm", "modularity"])
def test_weights_that_are_not_positive_are_dropped_and_counted(objective, caplog):
    edges = edge_table(
        [(1, 2), (1, 3), (2, 3), (4, 5)], [(9, 9, 8)] * 4, phi=pa.array([0.5, -0.2, None, 0.0], type=pa.float64())
    )
    with caplog.at_level("INFO"):
        graph = coactivation_graph(edges, parse_spec(f"leiden_{objective}_phi_j0.05_r0.050_s0"))
    assert (graph.n_edges, graph.n_dropped, graph.nodes.tolist()) == (1, 3, [1, 2])
    assert "3 of 4" in caplog.text


@pytest.mark.parametrize("weight", ["jaccard", "phi", "overlap"])
@pytest.mark.parametrize(("objective", "resolution"), [("cpm", 0.2), ("modularity", 1.0)])
def test_leiden_finds_planted_groups(weight, objective, resolution):
    edges, group_of = planted_edges()
    spec = parse_spec(f"leiden_{objective}_{weight}_j0.05_r{resolution:.3f}_s0")
    graph = coactivation_graph(edges, spec)
    labels = leiden_labels(graph, objective=objective, resolution=spec.resolution, seed=0)
    found = [set(m) for m in sets(rank_clusters(graph.nodes, labels))]
    planted = [set(np.flatnonzero(group_of == g).tolist()) for g in range(3)]
    if objective == "cpm":
        assert found[:3] == planted
    else:  # modularity may add noise latents to a group, and never splits one
        assert all(any(group <= f for f in found) for group in planted)


def test_leiden_is_a_function_of_its_seed_alone():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 80, (2, 600))
    a, b = a[a != b], b[a != b]
    keys = np.unique(np.minimum(a, b) * 100 + np.maximum(a, b))
    a, b, w = keys // 100, keys % 100, rng.uniform(0.1, 1, len(keys))
    random.seed(11)
    first = leiden_labels(make_graph(a, b, w), objective="modularity", resolution=1, seed=5)
    random.seed(99)
    shuffled = rng.permutation(len(a))
    again = leiden_labels(
        make_graph(b[shuffled], a[shuffled], w[shuffled]), objective="modularity", resolution=1, seed=5
    )
    assert first.tolist() == again.tolist()
    others = {tuple(leiden_labels(make_graph(a, b, w), objective="modularity", resolution=1, seed=s)) for s in range(8)}
    assert len(others) > 1, "the seed has no effect on a graph without structure"


def test_python_random_is_untouched_and_igraph_restored():
    edges, _ = planted_edges()
    graph = coactivation_graph(edges, parse_spec("leiden_cpm_phi_j0.05_r0.050_s0"))
    random.seed(4)
    before = random.getstate()
    leiden_labels(graph, objective="cpm", resolution=0.05, seed=0)
    with pytest.raises(RuntimeError), seeded_igraph(1):
        raise RuntimeError
    assert random.getstate() == before
    drawn = igraph.Graph.Erdos_Renyi(n=30, m=40).get_edgelist()
    random.setstate(before)
    assert igraph.Graph.Erdos_Renyi(n=30, m=40).get_edgelist() == drawn, "igraph draws from Python's random again"


def test_an_empty_graph_has_no_clusters_in_either_method():
    graph = make_graph([], [])
    assert sets(rank_clusters(graph.nodes, component_labels(graph))) == []
    assert sets(rank_clusters(graph.nodes, leiden_labels(graph, objective="cpm", resolution=1, seed=0))) == []
    assert modularity(graph, []) is None


@settings(deadline=None, max_examples=60)
@given(pairs=PAIRS.filter(bool), data=st.data())
def test_modularity_equals_igraph(pairs, data):
    array = np.array(pairs)
    weights = np.array(data.draw(st.lists(st.floats(0.01, 5), min_size=len(pairs), max_size=len(pairs))))
    graph = make_graph(array[:, 0], array[:, 1], weights)
    labels = data.draw(st.lists(st.integers(0, 3), min_size=graph.n_nodes, max_size=graph.n_nodes))
    network = igraph.Graph(n=graph.n_nodes, edges=np.column_stack([graph.source, graph.target]))
    assert modularity(graph, labels) == pytest.approx(network.modularity(labels, weights=graph.weights.tolist()))


def test_cosine_graphs_take_the_most_similar_ties_by_latents():
    edges = conform(
        {"feature_a": [1, 2, 0, 5, 6], "feature_b": [2, 3, 9, 7, 8], "cosine": [0.5, 0.9, 0.5, None, -0.1]},
        COSINE_EDGES,
    )
    assert most_similar_graph(edges, n_edges=2, weighted=True).nodes.tolist() == [0, 2, 3, 9]
    assert most_similar_graph(edges, n_edges=99, weighted=True).n_dropped == 1  # the negative one
    assert cosine_graph(edges, threshold=Decimal("0.50"), weighted=False).nodes.tolist() == [0, 1, 2, 3, 9]


@settings(deadline=None, max_examples=100)
@given(labels=st.lists(st.integers(-3, 3), max_size=25), seed=st.integers(0, 5))
def test_clusters_are_ranked_by_size_then_smallest_member(labels, seed):
    features = np.random.default_rng(seed).choice(1000, len(labels), replace=False)
    clusters = rank_clusters(features, labels)
    groups = {}
    for feature, label in zip(features.tolist(), labels, strict=True):
        groups.setdefault(label, []).append(feature)
    wanted = sorted((sorted(g) for g in groups.values() if len(g) > 1), key=lambda g: (-len(g), g[0]))
    assert sets(clusters) == wanted
    assert clusters.sizes.tolist() == [len(g) for g in wanted]
    assert (np.diff(clusters.feature_ids.astype(np.int64)) > 0).all()


def test_clusters_survive_their_file(tmp_path):
    clusters = rank_clusters([5, 1, 9, 3], [0, 1, 0, 1])
    write_clusters(clusters, tmp_path / "c.parquet", metadata={"n_edges": "2"})
    read, made_with = read_clusters(tmp_path / "c.parquet")
    assert sets(read) == [[1, 3], [5, 9]]
    assert made_with["n_edges"] == "2"


@pytest.mark.parametrize(
    ("features", "ids", "fault"), [([1, 2], [0, 2], "gaps"), ([2, 1], [0, 0], "ascending"), ([1, 2], [1, 1], "gaps")]
)
def test_damaged_clusters_are_named(tmp_path, features, ids, fault):
    write_clusters(Clusters(np.array(features, np.uint32), np.array(ids, np.int32)), tmp_path / "c.parquet")
    with pytest.raises(InputError, match=f"c.parquet.*{fault}"):
        read_clusters(tmp_path / "c.parquet")


def test_a_clusters_file_without_its_columns_is_named(tmp_path):
    write_table(pa.table({"feature": [1]}), tmp_path / "c.parquet")
    with pytest.raises(InputError, match="lacks the column"):
        read_clusters(tmp_path / "c.parquet")
