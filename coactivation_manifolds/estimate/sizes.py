"""How much there is to do: tokens, entries, increments, pairs and clusters, known or expected before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from coactivation_manifolds.estimate.chance_pairs import expected_chance_pairs


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the work of every stage is a sum of.

    Attributes
    ----------
    n_tokens, n_latents, n_shards
        N, F, and the shards that the tokens are cut into.
    mean_l0, pairs_a_token
        E[k] and E[k (k - 1)] / 2 over tokens, k being the latents that fire on one. Entries are N E[k]; increments of
        the counting are N E[k (k - 1)] / 2, so they follow the second moment: E[k (k - 1)] = Var k + E[k]^2 - E[k].
    d_model
        Columns of the decoder; 0 where it is not known.
    shard_pairs, candidates, recounted
        Pairs that one shard keeps in pass 1, those of their union over shards that can reach the floor over the whole
        corpus, and rows that pass 2 adds in one shard.
    edges
        Rows of edges.parquet.
    clusters, drawn, points
        Clusters of the headline clustering, those of them that are drawn, and points of one drawn cluster.
    weight_bytes, flops
        Of the model up to the hook and of the SAE: bytes to load, and floating-point operations for one token.

    """

    n_tokens: float
    n_latents: int
    n_shards: int
    mean_l0: float
    pairs_a_token: float
    d_model: int = 0
    shard_pairs: float = 0.0
    candidates: float = 0.0
    recounted: float = 0.0
    edges: float = 0.0
    clusters: float = 0.0
    drawn: float = 0.0
    points: float = 0.0
    weight_bytes: float = 0.0
    flops: float = 0.0

    @property
    def entries(self) -> float:
        """Firing latents summed over tokens."""
        return self.n_tokens * self.mean_l0

    @property
    def increments(self) -> float:
        """Pairs of latents summed over tokens, N E[k (k - 1)] / 2: what an unpruned count adds up one by one."""
        return self.n_tokens * self.pairs_a_token


@dataclass(frozen=True, kw_only=True)
class Activity:
    """How latents fire, as measured in earlier runs: what can't be known of a run before it.

    Attributes
    ----------
    mean_l0, l0_spread
        Latents a token, and standard deviation of their number over its mean.
    profile
        ``firing_profile``.
    clumping
        Of joint firings by chance, as in ``expected_chance_pairs``.
    lasting_pairs
        Pairs for each latent that reach the floor at any number of tokens.
    chance_factor
        Pairs that reached it by chance, over ``expected_chance_pairs``.
    candidate_share
        Candidates that are no edges, over the pairs of the modelled union of all shards that are no edges.
    recounted_share
        Rows that pass 2 adds in a shard for each candidate.
    clusters, drawn
        Clusters of the headline clustering for each latent, and those of them drawn.
    points
        Points of a drawn cluster for each token.

    """

    mean_l0: float
    l0_spread: float
    profile: Sequence[Sequence[float]] = field(default_factory=list)
    clumping: float = 0.0
    lasting_pairs: float = 0.0
    chance_factor: float = 1.0
    candidate_share: float = 1.0
    recounted_share: float = 0.0
    clusters: float = 0.0
    drawn: float = 0.0
    points: float = 0.0


def pairs_a_token(mean_l0: float, l0_spread: float) -> float:
    """E[k (k - 1)] / 2 from mean and standard deviation over mean of k: (mean^2 (1 + spread^2) - mean) / 2."""
    return max(0.0, (mean_l0**2 * (1 + l0_spread**2) - mean_l0) / 2)


def pairs_a_token_of_histogram(tokens_by_k: Mapping[int, int]) -> float:
    """E[k (k - 1)] / 2 from the number of tokens with k latents."""
    tokens = sum(tokens_by_k.values())
    return sum(k * (k - 1) / 2 * count for k, count in tokens_by_k.items()) / tokens if tokens else 0.0


def modelled_union(lasting: float, chance: float, *, n_shards: int, n_latents: int) -> float:
    """Pairs that at least one shard keeps: lasting ones once, chance ones of each shard, and never more than exist."""
    return min(lasting + n_shards * chance, n_latents * (n_latents - 1) / 2)


def expected_sizes(
    activity: Activity,
    *,
    n_tokens: float,
    n_latents: int,
    n_shards: int,
    mean_l0: float,
    floor: float,
    min_count: int,
    d_model: int = 0,
    weight_bytes: float = 0.0,
    flops: float = 0.0,
) -> Sizes:
    """Sizes of a run that was not made yet.

    Pairs are ``lasting_pairs`` for each latent, in every shard the same, and chance pairs, in every shard others: so a
    union over shards grows by the chance pairs of each. Of that union the edges are candidates, and a share of the
    rest; the more shards, the smaller that share, since each of them bounds what a pair can still have there.
    """
    on_token = pairs_a_token(mean_l0, activity.l0_spread)
    chance = [
        activity.chance_factor
        * expected_chance_pairs(
            activity.profile,
            n_latents=n_latents,
            n_tokens=tokens,
            mean_l0=mean_l0,
            pairs_a_token=on_token,
            floor=floor,
            min_count=least,
            clumping=activity.clumping,
        )
        for tokens, least in ((n_tokens / n_shards, 1), (n_tokens, min_count))
    ]
    possible = n_latents * (n_latents - 1) / 2
    lasting = min(activity.lasting_pairs * n_latents, possible)
    shard_pairs = min(lasting + chance[0], possible)
    union = modelled_union(lasting, chance[0], n_shards=n_shards, n_latents=n_latents)
    edges = min(lasting + chance[1], union)
    # what a single shard keeps is exact over the whole corpus, so all of it is written and nothing recounted
    candidates = union if n_shards == 1 else edges + activity.candidate_share * (union - edges)
    return Sizes(
        n_tokens=n_tokens,
        n_latents=n_latents,
        n_shards=n_shards,
        mean_l0=mean_l0,
        pairs_a_token=on_token,
        d_model=d_model,
        shard_pairs=shard_pairs,
        candidates=candidates,
        recounted=activity.recounted_share * candidates if n_shards > 1 else 0.0,
        edges=edges,
        clusters=activity.clusters * n_latents,
        drawn=activity.drawn * n_latents,
        points=activity.points * n_tokens,
        weight_bytes=weight_bytes,
        flops=flops,
    )
