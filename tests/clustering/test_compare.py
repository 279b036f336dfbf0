import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from coactivation_manifolds.clustering.compare import (
    adjusted_mutual_information,
    best_matches,
    expected_information,
    shared_members,
)
from coactivation_manifolds.clustering.membership import Clusters, rank_clusters

LABELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40)


def two_clusterings(labels, seed=0):
    """Two clusterings over the same latents; those alone in their label are unclustered."""
    features = np.sort(np.random.default_rng(seed).choice(10_000, len(labels), replace=False))
    pairs = np.array(labels, dtype=np.int64).reshape(-1, 2)
    return rank_clusters(features, pairs[:, 0]), rank_clusters(features, pairs[:, 1])


def full_labels(one, other):
    """Labels over the latents in either, unclustered ones as singletons, as sklearn wants them."""
    union = np.union1d(one.feature_ids, other.feature_ids)
    labels = []
    for clusters in (one, other):
        own = dict(zip(clusters.feature_ids.tolist(), clusters.cluster_ids.tolist(), strict=True))
        labels.append([own.get(f, -1 - f) for f in union.tolist()])
    return labels


@settings(deadline=None, max_examples=200)
@given(labels=LABELS)
def test_ami_equals_sklearn(labels):
    one, other = two_clusterings(labels)
    ami = adjusted_mutual_information(one, other)
    if not one.n_clusters and not other.n_clusters:
        assert ami is None
    else:
        assert ami == pytest.approx(adjusted_mutual_info_score(*full_labels(one, other)), abs=1e-9)
        assert adjusted_mutual_information(other, one) == pytest.approx(ami, abs=1e-12)


def test_ami_of_many_latents_equals_sklearn():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 150, 1500)
    other = np.where(rng.random(1500) < 0.3, rng.integers(0, 900, 1500), truth)
    one, two = rank_clusters(np.arange(1500), truth), rank_clusters(np.arange(1500), other)
    assert adjusted_mutual_information(one, two) == pytest.approx(
        adjusted_mutual_info_score(*full_labels(one, two)), abs=1e-10
    )
    assert adjusted_mutual_information(one, one) == pytest.approx(1)


def test_expected_information_counts_each_pair_of_sizes_once():
    one, two = [7, 3, 3, 2, 1, 1, 1], [4, 4, 4, 2, 2, 2]
    table = contingency_matrix(np.repeat(range(7), one), np.repeat(range(6), two), sparse=True).astype(np.int64)
    wanted = expected_mutual_information(table, 18)
    assert expected_information(np.array(one), np.array(two)) == pytest.approx(wanted, rel=1e-10)


def test_a_clustering_against_none_shares_nothing():
    one = rank_clusters(np.arange(6), [0, 0, 0, 1, 1, 1])
    none = rank_clusters([], [])
    assert adjusted_mutual_information(one, none) == pytest.approx(0, abs=1e-12)
    assert best_matches(one, none)[0].tolist() == [-1, -1]
    assert best_matches(none, one)[1].tolist() == []


@settings(deadline=None, max_examples=200)
@given(labels=LABELS, seed=st.integers(0, 3))
def test_best_matches_equal_brute_force(labels, seed):
    one, other = two_clusterings(labels, seed)
    ids, jaccard = best_matches(one, other)
    others = [set(m.tolist()) for m in other.members()]
    for i, members in enumerate(set(m.tolist()) for m in one.members()):
        similarities = [len(members & o) / len(members | o) for o in others]
        best = max(similarities, default=0.0)
        assert jaccard[i] == best
        assert ids[i] == (similarities.index(best) if best else -1)


def test_shared_members_grow_with_latents_not_with_clusters():
    n = 60_000  # 30,000 clusters on either side: a dense table would hold 9e8 cells
    one = Clusters(np.arange(n, dtype=np.uint32), (np.arange(n) // 2).astype(np.int32))
    other = Clusters(np.arange(1, n + 1, dtype=np.uint32), (np.arange(n) // 2).astype(np.int32))
    ids, _, counts = shared_members(one, other)
    assert len(ids) == n - 1
    assert counts.max() == 1
    assert -0.5 < adjusted_mutual_information(one, other) < 0.5
