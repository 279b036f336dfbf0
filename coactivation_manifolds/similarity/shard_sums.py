"""Sums over shards of what each shard counted: firings of each latent, tokens, entries, histogram of k_t."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import InputError, ResultsError
from coactivation_manifolds.storage import PathLike, read_array, read_json


@dataclass(frozen=True)
class CorpusTotals:
    """N, entries K, n_i (int64 [n_latents]) and the histogram of k_t, after the window of positions."""

    n_tokens: int
    n_entries: int
    marginals: npt.NDArray[np.int64]
    tokens_by_k: dict[int, int]


def sum_shards(marginals_paths: Sequence[PathLike], totals_paths: Sequence[PathLike]) -> CorpusTotals:
    """Add up the shards.

    Raises
    ------
    InputError
        A file is missing or damaged.
    ResultsError
        Shards of different numbers of latents, or marginals and totals that contradict one another.

    """
    marginals: npt.NDArray[np.int64] | None = None
    for path in marginals_paths:
        firings = read_array(path).astype(np.int64)
        if marginals is not None and firings.shape != marginals.shape:
            raise ResultsError(
                f"{path} has {len(firings)} latents, another shard {len(marginals)}: a shard of another experiment? "
                "delete it and run the same command again"
            )
        marginals = firings if marginals is None else marginals + firings
    if marginals is None:
        raise InputError("no shards to reduce: the experiment has no tokens")
    tokens_by_k: Counter[int] = Counter()
    n_tokens = n_entries = 0
    for path in totals_paths:
        totals = read_json(path)
        try:
            n_tokens += int(totals["n_tokens"])
            n_entries += int(totals["n_entries"])
            tokens_by_k.update({int(k): int(tokens) for k, tokens in totals["k_t"]})
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(f"{path} is no totals file of ours; delete it and run the same command again") from error
    entries_of_k = sum(k * tokens for k, tokens in tokens_by_k.items())
    if not int(marginals.sum()) == n_entries == entries_of_k or sum(tokens_by_k.values()) != n_tokens:
        raise ResultsError(
            f"the shards' counts contradict one another ({int(marginals.sum())} firings, {n_entries} entries, "
            f"{entries_of_k} by tokens): delete the files beside {totals_paths[0]} and run the same command again"
        )
    return CorpusTotals(n_tokens, n_entries, marginals, dict(sorted(tokens_by_k.items())))
