"""The pairs that may reach the floor over the whole corpus, from what pass 1 kept of each shard.

A pair that some shard kept is no candidate yet. A shard that did not keep it has n_ab^s q < p union^s, with union^s =
n_a^s + n_b^s - n_ab^s, so at most floor((p (n_a^s + n_b^s) - 1) / (p + q)) joint firings there, and no more than n_a^s
or n_b^s. Those bounds and the counts of the shards that kept the pair add up to the most that n_ab can be. Pairs for
which that is too little for the floor are left out: most of those that fire together once or twice by chance.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.compiled import compiled
from coactivation_manifolds.cooccurrence.floor import Fraction, exact_fraction
from coactivation_manifolds.cooccurrence.pair_files import (
    ROW_GROUP,
    ROWS_PER_RANGE,
    check_same_floor,
    iter_ranges,
    split_keys,
    sum_by_key,
)
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.schemas import CANDIDATES, conform
from coactivation_manifolds.storage import PathLike, atomic_path, open_table_writer, read_array

logger = logging.getLogger(__name__)

ROUNDING = 4e-15
"""Share by which a bound is raised, so that it is never below the exact one: more than its three roundings."""


def merge_candidates(
    counts_paths: Sequence[PathLike],
    marginals_paths: Sequence[PathLike],
    *,
    jaccard_floor: float,
    candidates_path: PathLike,
    rows_per_range: int = ROWS_PER_RANGE,
) -> None:
    """Write the pairs that any shard kept and that can reach the floor, ordered by (feature_a, feature_b).

    Memory: 4 bytes for each latent of each shard, and some 100 for each row of ``rows_per_range``.

    Parameters
    ----------
    counts_paths, marginals_paths
        The shards' pair counts and firings, in any order that is the same for both.
    jaccard_floor
        Smallest Jaccard over the whole corpus.
    candidates_path
        ``schemas.CANDIDATES``.
    rows_per_range
        Rows of all files held at once; the result does not depend on it.

    Raises
    ------
    ConfigError
        The floor is no decimal in [0, 1].
    InputError
        A file is missing or damaged.
    ResultsError
        A shard was counted with a higher floor, or the shards don't fit one another.

    """
    floor = exact_fraction(jaccard_floor, name="similarity.jaccard_floor")
    check_same_floor(counts_paths, floor)
    firings = firings_by_shard(marginals_paths)
    totals = firings.sum(axis=1, dtype=np.int64)
    kept = total = 0
    with atomic_path(candidates_path) as temporary, open_table_writer(temporary, CANDIDATES) as writer:
        for files in iter_ranges(counts_paths, rows_per_range=rows_per_range):
            above = [
                _above_bound(*split_keys(rows.keys), rows.n_ab, firings, rows.number, *_line(floor)) for rows in files
            ]
            keys, most = sum_by_key([rows.keys for rows in files], above)
            a, b = split_keys(keys)
            _add_bounds(a, b, firings, *_line(floor), most)
            p, q = floor
            possible = most * (p + q) >= p * (totals[a] + totals[b])
            table = conform({"feature_a": a[possible], "feature_b": b[possible]}, CANDIDATES)
            writer.write_table(table, row_group_size=ROW_GROUP)
            kept, total = kept + len(keys), total + len(table)
    logger.info("%d candidates of %d pairs that %d shards kept", total, kept, len(counts_paths))


def firings_by_shard(marginals_paths: Sequence[PathLike]) -> npt.NDArray[np.uint32]:
    """Firings of each latent in each shard, uint32 [n_latents, n_shards].

    Raises
    ------
    InputError
        A file is missing or damaged.
    ResultsError
        Shards of different numbers of latents.

    """
    firings = np.zeros((0, len(marginals_paths)), np.uint32)
    for shard, path in enumerate(marginals_paths):
        marginals = read_array(path)
        if shard == 0:
            firings = np.empty((len(marginals), len(marginals_paths)), np.uint32)
        if len(marginals) != len(firings):
            raise ResultsError(
                f"{path} has {len(marginals)} latents, another shard {len(firings)}: a shard of another experiment? "
                "delete it and run the same command again"
            )
        firings[:, shard] = marginals
    return firings


def most_unkept(n_a: npt.NDArray[np.int64], n_b: npt.NDArray[np.int64], floor: Fraction) -> npt.NDArray[np.int64]:
    """The most joint firings that each pair can have in a shard that did not keep it, int64 [pairs]."""
    p, q = floor
    below = np.maximum(p * (n_a + n_b) - 1, 0) // (p + q)
    return np.minimum(below, np.minimum(n_a, n_b))


def _line(floor: Fraction) -> tuple[float, float]:
    """Slope and height with (n_a + n_b) slope - height of ``most_unkept`` before it is rounded down.

    The exact value is a multiple of 1 / (p + q), so that half of that less from the slope's side changes nothing.
    """
    p, q = floor
    return p / (p + q) * (1 + ROUNDING), 0.5 / (p + q)


@compiled
def _above_bound(a, b, n_ab, firings, shard, slope, height):  # type: ignore[no-untyped-def]  # typed by numba
    """How much more each pair's count is than ``most_unkept`` of its shard."""
    above = np.empty(len(a), np.int64)
    for pair in range(len(a)):
        n_a, n_b = np.int64(firings[a[pair], shard]), np.int64(firings[b[pair], shard])
        above[pair] = n_ab[pair] - min(np.int64((n_a + n_b) * slope - height), min(n_a, n_b))
    return above


@compiled
def _add_bounds(a, b, firings, slope, height, most):  # type: ignore[no-untyped-def]  # typed by numba
    """Add to each pair its ``most_unkept`` of every shard."""
    for pair in range(len(a)):
        of_a, of_b = firings[a[pair]], firings[b[pair]]
        total = np.int64(0)
        for shard in range(firings.shape[1]):
            n_a, n_b = np.int64(of_a[shard]), np.int64(of_b[shard])
            total += min(np.int64((n_a + n_b) * slope - height), min(n_a, n_b))
        most[pair] += total
