"""How many pairs of latents reach the floor by chance, from how often latents fire: why small shards keep many."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

BINS_A_DECADE = 8


def firing_profile(counts: npt.ArrayLike) -> list[list[float]]:
    """How unequal the latents' rates are: [[rate over the mean rate, share of the latents], ...], logarithmic bins.

    Parameters
    ----------
    counts
        Firings of each latent, [n_latents]; those that never fire are left out, so the shares may sum to less than 1.

    """
    firings = np.asarray(counts, np.float64)
    relative = firings[firings > 0] / firings.mean() if firings.any() else np.zeros(0)
    bins = np.floor(np.log10(relative) * BINS_A_DECADE).astype(np.int64)
    rows = []
    for number in np.unique(bins):
        inside = relative[bins == number]
        rows.append([float(inside.mean()), len(inside) / len(firings)])
    return rows


def expected_chance_pairs(
    profile: Sequence[Sequence[float]],
    *,
    n_latents: int,
    n_tokens: float,
    mean_l0: float,
    pairs_a_token: float,
    floor: float,
    min_count: int = 1,
    clumping: float = 0.0,
) -> float:
    """Pairs that reach the floor though their latents fire independently but for the tokens' own L0.

    Latents of rates r_a, r_b fire together on Poisson(N r_a r_b h) tokens, h = E[k (k - 1)] / E[k]^2 (1 where all
    tokens have many latents and the same number), and are kept from n_ab >= floor (n_a + n_b) / (1 + floor) on, which
    is Jaccard >= floor, and from ``min_count`` on; n_a is taken as N r_a. Latents that come in bursts meet in clumps:
    with ``clumping`` w the number is negative binomial of the same mean and 1 + w times its variance.

    Parameters
    ----------
    profile
        ``firing_profile`` of any run; rates follow as mean_l0 / n_latents times it, at most 1.
    n_latents, n_tokens, mean_l0
        Of what is counted at once: a shard, or the corpus.
    pairs_a_token
        E[k (k - 1)] / 2.
    floor, min_count
        Smallest Jaccard and n_ab.
    clumping
        w >= 0.

    """
    from scipy.stats import nbinom, poisson

    table = np.asarray(profile, np.float64).reshape(-1, 2)
    rates = np.minimum(table[:, 0] * mean_l0 / n_latents, 1.0)
    latents = table[:, 1] * n_latents
    overlap = 2 * pairs_a_token / mean_l0**2 if mean_l0 else 0.0
    together = n_tokens * np.minimum(np.outer(rates, rates) * overlap, np.minimum.outer(rates, rates))
    firings = n_tokens * np.add.outer(rates, rates)
    share = float(Fraction(str(floor)) / (1 + Fraction(str(floor))))
    needed = np.maximum(np.ceil(share * firings - 1e-9), max(min_count, 1))
    pairs = np.outer(latents, latents) / 2
    pairs[np.diag_indices(len(latents))] = np.maximum(latents * (latents - 1), 0) / 2
    if clumping > 0:
        reached = nbinom.sf(needed - 1, together / clumping, 1 / (1 + clumping))
    else:
        reached = poisson.sf(needed - 1, together)
    return float((pairs * reached).sum())
