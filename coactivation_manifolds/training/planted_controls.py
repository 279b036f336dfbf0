"""Sets of latents to hold a cluster's reading against: random ones, and ones matched on how often they fire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.training.planted_readings import FloatArray, ProcessTruth, Reading, read_latents

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import FeatureIndex

IntArray = npt.NDArray[np.int64]
N_SETS = 100
NEAREST = 5
CONTROL_STREAM = 21


def random_sets(live: IntArray, *, size: int, n_sets: int, seed: Sequence[int]) -> list[list[int]]:
    """Sets of ``size`` different latents, each drawn evenly from the live ones."""
    rng = np.random.default_rng(seed)
    size = min(size, len(live))
    return [sorted(rng.choice(live, size=size, replace=False).tolist()) for _ in range(n_sets)]


def matched_sets(
    members: Sequence[int], live: IntArray, counts: IntArray, *, n_sets: int, seed: Sequence[int]
) -> list[list[int]]:
    """Sets from outside the cluster whose latents fire about as often as its members.

    For each member in turn, one of the five latents not yet taken that are nearest in log firing count.

    Parameters
    ----------
    members
        The cluster.
    live
        Latents to draw from; members are left out.
    counts
        Firings of every latent, int64 [n_latents].
    n_sets, seed
        How many sets, and their seed.

    """
    rng = np.random.default_rng(seed)
    log_counts = np.log(np.maximum(counts, 1))
    outside = np.setdiff1d(live, np.asarray(members, dtype=np.int64))
    found = []
    for _ in range(n_sets):
        free = outside
        chosen: list[int] = []
        for member in rng.permutation(np.asarray(members, dtype=np.int64)):
            if len(free) == 0:
                break
            distance = np.abs(log_counts[free] - log_counts[member])
            nearest = free[np.argsort(distance, kind="stable")[:NEAREST]]
            pick = int(rng.choice(nearest))
            chosen.append(pick)
            free = free[free != pick]
        found.append(sorted(chosen))
    return found


def measure_controls(
    truth: ProcessTruth,
    index: FeatureIndex,
    members: Sequence[int],
    *,
    decoder: FloatArray,
    counts: IntArray,
    min_firings: int,
    min_active: int,
    seed: int,
    n_sets: int = N_SETS,
) -> dict[str, dict[str, Any]]:
    """Readings of random and of matched sets of the same size as the cluster.

    Latents that fire fewer than ``min_firings`` times are not drawn: the clusters can't hold them either.
    """
    live = np.flatnonzero(counts >= max(1, min_firings)).astype(np.int64)
    stream = [seed, CONTROL_STREAM]
    sets = {
        "random": random_sets(live, size=len(members), n_sets=n_sets, seed=[*stream, 1]),
        "matched": matched_sets(members, live, counts, n_sets=n_sets, seed=[*stream, 2]),
    }
    return {
        name: summarize_readings(
            [read_latents(truth, index, chosen, decoder=decoder, min_active=min_active) for chosen in drawn if chosen]
        )
        for name, drawn in sets.items()
    }


def summarize_readings(readings: Sequence[Reading]) -> dict[str, Any]:
    """Mean, median and largest reading of many sets; ``n_scored`` of them had points enough for an ``r2``."""
    own = [reading.r2 for reading in readings if reading.r2 is not None]
    everywhere = [reading.r2_all_tokens for reading in readings]
    return {
        "n_sets": len(readings),
        "n_scored": len(own),
        "r2": _summary(own),
        "r2_all_tokens": _summary(everywhere),
        "coverage": _summary([reading.coverage for reading in readings]),
    }


def _summary(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"mean": float(np.mean(values)), "median": float(np.median(values)), "max": float(np.max(values))}
