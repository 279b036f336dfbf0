"""Random connected sets, against a dense matrix and networkx-free graph search."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.geometry.nulls.connected_sets import draw_connected_sets, make_jaccard_graph, mean_inside


def random_edges(seed, n_latents=40, n_edges=120):
    rng = np.random.default_rng(seed)
    pairs = list(combinations(range(0, 3 * n_latents, 3), 2))
    chosen = sorted(pairs[i] for i in rng.choice(len(pairs), n_edges, replace=False))
    return np.array(chosen).T, rng.uniform(0.02, 0.6, n_edges).round(3)


def dense(pairs, jaccard):
    matrix = np.zeros((pairs.max() + 1,) * 2)
    matrix[pairs[0], pairs[1]] = matrix[pairs[1], pairs[0]] = jaccard
    return matrix


def is_connected(members, matrix):
    reached, waiting = set(), [members[0]]
    while waiting:
        node = waiting.pop()
        reached.add(node)
        waiting += [other for other in members if matrix[node, other] > 0 and other not in reached]
    return reached == set(members)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1_000), size=st.integers(2, 7), wanted=st.floats(0.05, 0.5))
def test_sets_are_connected_distinct_and_ordered_by_likeness(seed, size, wanted):
    pairs, jaccard = random_edges(seed)
    matrix = dense(pairs, jaccard)
    excluded = [0, 3, 6]
    drawn = draw_connected_sets(
        make_jaccard_graph(*pairs, jaccard),
        size=size,
        mean_jaccard=wanted,
        n_sets=5,
        excluded=excluded,
        rng=np.random.default_rng(seed),
    )
    assert drawn
    assert len({found.members for found in drawn}) == len(drawn) <= 100
    for found in drawn:
        assert len(found.members) == size and not set(found.members) & set(excluded)
        assert list(found.members) == sorted(found.members)
        assert is_connected(found.members, matrix)
        inside = matrix[np.ix_(found.members, found.members)]
        assert found.mean_jaccard == pytest.approx(inside[inside > 0].mean())
    distance = [abs(found.mean_jaccard - wanted) for found in drawn]
    assert distance == sorted(distance)


def test_every_connected_set_of_a_small_graph_is_found():
    pairs = np.array([[0, 1, 2, 0, 7], [1, 2, 3, 3, 8]])
    jaccard = np.array([0.5, 0.4, 0.3, 0.2, 0.6])
    matrix = dense(pairs, jaccard)
    found = draw_connected_sets(
        make_jaccard_graph(*pairs, jaccard),
        size=3,
        mean_jaccard=0.3,
        n_sets=50,
        excluded=[],
        rng=np.random.default_rng(0),
    )
    expected = [members for members in combinations([0, 1, 2, 3, 7, 8], 3) if is_connected(members, matrix)]
    assert sorted(each.members for each in found) == expected


def test_a_seed_gives_the_same_sets():
    pairs, jaccard = random_edges(4)
    graph = make_jaccard_graph(*pairs, jaccard)

    def draw(seed):
        rng = np.random.default_rng(seed)
        return draw_connected_sets(graph, size=4, mean_jaccard=0.2, n_sets=10, excluded=[9], rng=rng)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_nearest_of_many_are_alike_in_jaccard():
    pairs, jaccard = random_edges(1, n_latents=60, n_edges=400)
    graph = make_jaccard_graph(*pairs, jaccard)
    drawn = draw_connected_sets(graph, size=5, mean_jaccard=0.35, n_sets=20, excluded=[], rng=np.random.default_rng(0))
    assert np.abs([found.mean_jaccard - 0.35 for found in drawn[:20]]).max() < 0.05


@pytest.mark.parametrize(("size", "excluded"), [(5, []), (2, [0, 1, 2, 3])])
def test_no_set_where_there_is_none(size, excluded):
    graph = make_jaccard_graph([0, 1, 2], [1, 2, 3], [0.5, 0.4, 0.3])
    rng = np.random.default_rng(0)
    assert draw_connected_sets(graph, size=size, mean_jaccard=0.4, n_sets=5, excluded=excluded, rng=rng) == []


def test_mean_inside_counts_each_pair_once():
    graph = make_jaccard_graph([0, 0, 1], [1, 2, 2], [0.5, 0.1, 0.3])
    assert mean_inside(graph.adjacency, [0, 1, 2]) == pytest.approx(0.3)
    assert mean_inside(graph.adjacency, [0]) == 0.0
