"""How alike two clusterings are: best matches of their clusters, and adjusted mutual information."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from coactivation_manifolds.clustering.membership import Clusters

Ints = npt.NDArray[np.int64]


def shared_members(one: Clusters, other: Clusters) -> tuple[Ints, Ints, Ints]:
    """Pairs of clusters with members in common: id in ``one``, id in ``other``, how many; ordered by the two ids.

    At most one pair a latent, so the cost grows with the latents, not with the product of the clusters.
    """
    _, in_one, in_other = np.intersect1d(one.feature_ids, other.feature_ids, assume_unique=True, return_indices=True)
    width = max(1, other.n_clusters)
    keys = one.cluster_ids[in_one].astype(np.int64) * width + other.cluster_ids[in_other]
    pairs, counts = np.unique(keys, return_counts=True)
    return pairs // width, pairs % width, counts.astype(np.int64)


def best_matches(one: Clusters, other: Clusters) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """For each cluster of ``one`` the cluster of ``other`` whose members are most alike.

    Returns
    -------
    match_ids
        int32[one.n_clusters], -1 where no cluster of ``other`` shares a member; of equal matches the smallest id.
    jaccard
        float64[one.n_clusters], shared members / members in either; 0 where there is no match.

    """
    match_ids = np.full(one.n_clusters, -1, dtype=np.int32)
    jaccard = np.zeros(one.n_clusters)
    ids, other_ids, shared = shared_members(one, other)
    if len(ids):
        similarity = shared / (one.sizes[ids] + other.sizes[other_ids] - shared)
        order = np.lexsort((other_ids, -similarity, ids))
        first = np.unique(ids[order], return_index=True)[1]
        best = order[first]
        match_ids[ids[best]] = other_ids[best]
        jaccard[ids[best]] = similarity[best]
    return match_ids, jaccard


def adjusted_mutual_information(one: Clusters, other: Clusters) -> float | None:
    """Adjusted mutual information over the latents that either clusters, those unclustered in one as singletons.

    AMI = (MI - E[MI]) / (mean(H_one, H_other) - E[MI]), Vinh, Epps and Bailey 2010, with their hypergeometric
    E[MI]; 1 for equal clusterings, about 0 for independent ones. None where neither has a cluster.
    """
    union = np.union1d(one.feature_ids, other.feature_ids)
    n = len(union)
    if not n:
        return None
    sizes = [np.concatenate([c.sizes, np.ones(n - c.n_clustered, dtype=np.int64)]) for c in (one, other)]
    if all(len(s) == 1 for s in sizes):
        return 1.0
    entropies = [_entropy(s, n) for s in sizes]
    expected = expected_information(sizes[0], sizes[1])
    information = _mutual_information(one, other, n)
    # not zero: E[MI] reaches both entropies only for one cluster of all (above) or no cluster at all in either
    return float((information - expected) / ((entropies[0] + entropies[1]) / 2 - expected))


def _entropy(sizes: Ints, n: int) -> float:
    share = sizes / n
    return float(-(share * np.log(share)).sum())


def _mutual_information(one: Clusters, other: Clusters, n: int) -> float:
    """MI in nats of two partitions of ``n`` latents in which whoever is unclustered stands alone."""
    ids, other_ids, shared = shared_members(one, other)
    total = _information(shared, one.sizes[ids], other.sizes[other_ids], n)
    # latents clustered in one and alone in the other: each meets its own singleton
    for mine, theirs in ((one, other), (other, one)):
        alone = ~np.isin(mine.feature_ids, theirs.feature_ids, assume_unique=True)
        counts = np.bincount(mine.cluster_ids[alone], minlength=mine.n_clusters)
        single = np.ones(mine.n_clusters, dtype=np.int64)
        total += float((counts * _terms(single, mine.sizes, single, n)).sum())
    return total


def _terms(shared: Ints, size_a: Ints, size_b: Ints, n: int) -> npt.NDArray[np.float64]:
    return shared / n * np.log(n * shared / (size_a * size_b))


def _information(shared: Ints, size_a: Ints, size_b: Ints, n: int) -> float:
    return float(_terms(shared, size_a, size_b, n).sum())


def expected_information(sizes_one: Ints, sizes_other: Ints) -> float:
    """E[MI] in nats of two random partitions with these cluster sizes (each sums to the same n).

    The sum of Vinh, Epps and Bailey (2010), equation 24, but once for each pair of *distinct* sizes, times how often
    it occurs: thousands of clusters have few distinct sizes, so this is no longer quadratic in the clusters.
    """
    n = int(sizes_one.sum())
    values_one, often_one = np.unique(sizes_one, return_counts=True)
    values_other, often_other = np.unique(sizes_other, return_counts=True)
    log_factorial = gammaln(np.arange(n + 2, dtype=np.float64) + 1)
    total = 0.0
    for a, times_a in zip(values_one.tolist(), often_one.tolist(), strict=True):
        for b, times_b in zip(values_other.tolist(), often_other.tolist(), strict=True):
            shared = np.arange(max(1, a + b - n), min(a, b) + 1)
            log_chance = (
                log_factorial[a] + log_factorial[b] + log_factorial[n - a] + log_factorial[n - b] - log_factorial[n]
            ) - (
                log_factorial[shared]
                + log_factorial[a - shared]
                + log_factorial[b - shared]
                + log_factorial[n - a - b + shared]
            )
            term = shared / n * np.log(n * shared / (a * b)) * np.exp(log_chance)
            total += times_a * times_b * float(term.sum())
    return total
