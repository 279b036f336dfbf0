"""Partial counts of very many shards without their tokens, written through the product's own writer.

What a shard keeps at a low floor is of two kinds: pairs that belong together, which nearly every shard keeps, and
chance pairs of rare latents that fire together once, others in each shard. The latents' firings are those of the
synthetic workload on 250,000 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from synthetic_activations import Workload, plan_sources

from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.cooccurrence.pair_files import pair_keys, split_keys, write_pair_counts
from coactivation_manifolds.storage import write_array, write_json

Array = npt.NDArray[Any]

TOKENS_PER_SHARD, BELONGING, KEPT = 250_000, 30_000, 0.9


@dataclass(frozen=True)
class Partials:
    """Where the partial counts of shards lie."""

    folder: Path
    n_shards: int
    chance_pairs: int = 40_000

    @property
    def counts(self) -> list[Path]:
        """Pair counts of pass 1."""
        return [self.folder / f"{shard}.parquet" for shard in range(self.n_shards)]

    @property
    def recounts(self) -> list[Path]:
        """Pair counts of pass 2."""
        return [self.folder / f"{shard}.recount.parquet" for shard in range(self.n_shards)]

    @property
    def marginals(self) -> list[Path]:
        """Firings of each latent."""
        return [self.folder / f"{shard}.marginals.npy" for shard in range(self.n_shards)]

    @property
    def totals(self) -> list[Path]:
        """Tokens and entries."""
        return [self.folder / f"{shard}.totals.json" for shard in range(self.n_shards)]

    @property
    def candidates(self) -> Path:
        """The pairs that can reach the floor."""
        return self.folder / "candidates.parquet"


PARTIALS = Partials(Path(), 500)


def write_partials(folder: Path, *, n_latents: int, n_shards: int, chance_pairs: int) -> Partials:
    """Write what both passes leave of ``n_shards`` shards."""
    partials = Partials(folder, n_shards, chance_pairs)
    rates = plan_sources(Workload(n_latents=n_latents, mean_l0=min(80.0, n_latents / 40))).rates
    by_rate = np.argsort(rates)
    fire = by_rate[rates[by_rate] > 0]
    rare, common = np.split(
        fire, [max(len(fire) // 4, int((rates * TOKENS_PER_SHARD <= 40).sum() - (rates == 0).sum()))]
    )
    place = np.linspace(0, len(common) - 2, min(BELONGING, len(common) - 1)).astype(np.int64)
    belonging = np.unique(ordered_keys(common[place], common[place + 1]))
    for shard in range(n_shards):
        rng = np.random.default_rng([0, shard])
        firings = rng.poisson(rates * TOKENS_PER_SHARD)
        chance = np.unique(ordered_keys(*rng.choice(rare, (2, chance_pairs))))
        kept = rng.random(len(belonging)) < KEPT
        write_pairs(np.concatenate([belonging[kept], chance]), firings, partials.counts[shard], jaccard_floor=0.02)
        write_pairs(belonging[~kept], firings, partials.recounts[shard])
        write_array(firings, partials.marginals[shard])
        write_json(totals_of(firings), partials.totals[shard])
    return partials


def ordered_keys(x: Array, y: Array) -> Array:
    """Keys of pairs in either order; those of a latent with itself are left out."""
    keys: Array = pair_keys(np.minimum(x, y), np.maximum(x, y))[x != y]
    return keys


def write_pairs(keys: Array, firings: Array, path: Path, *, jaccard_floor: float | None = None) -> None:
    """Write pairs that fire together on a third of the rarer latent's tokens, rare ones once, if both fire."""
    a, b = split_keys(np.sort(keys))
    n_ab = np.minimum(firings[a], firings[b])
    n_ab = np.where(n_ab <= 40, n_ab > 0, n_ab // 3)
    fire = n_ab > 0
    write_pair_counts(PairCounts(a[fire], b[fire], n_ab[fire].astype(np.int64)), path, jaccard_floor=jaccard_floor)


def totals_of(firings: Array) -> dict[str, Any]:
    """Totals in which all tokens have the mean number of latents, rounded down or up."""
    entries = int(firings.sum())
    k, more = divmod(entries, TOKENS_PER_SHARD)
    return {
        "n_latents": len(firings),
        "n_tokens": TOKENS_PER_SHARD,
        "n_entries": entries,
        "k_t": [[k, TOKENS_PER_SHARD - more], [k + 1, more]],
    }
