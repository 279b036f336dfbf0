"""Decoder cosines between all members of a cluster, exactly, in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

BLOCK = 1024
"""Rows at once: two blocks and their product take 8 * (2 * 1024 * d_model + 1024^2) bytes (46 MB at d_model 2,304)."""


@dataclass(frozen=True)
class PairCosines:
    """Mean, smallest and largest cosine over all pairs; None where no pair has a cosine."""

    mean: float | None
    min: float | None
    max: float | None


def unit_rows(rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Rows scaled to length 1 in float64; rows of length zero, which have no direction, are left out."""
    matrix = np.asarray(rows, dtype=np.float64)
    norms = np.linalg.norm(matrix, axis=1)
    with_direction = norms > 0
    scaled: npt.NDArray[np.float64] = matrix[with_direction] / norms[with_direction, None]
    return scaled


def pair_cosines(decoder: npt.NDArray[np.floating], members: npt.ArrayLike, *, block: int = BLOCK) -> PairCosines:
    """Cosines over all pairs of members, as sums of float64 blocks in a fixed order on one thread.

    Parameters
    ----------
    decoder
        float[n_latents, d_model], may be memory-mapped.
    members
        The cluster's latents, each once.
    block
        Rows at once; the memory is bounded by it, not by the cluster.

    """
    ids = np.asarray(members, dtype=np.int64)
    total, smallest, largest, n_pairs = 0.0, np.inf, -np.inf, 0
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, len(ids), block):
            left = unit_rows(decoder[ids[start : start + block]])
            for other in range(start, len(ids), block):
                right = left if other == start else unit_rows(decoder[ids[other : other + block]])
                cosines = np.clip(left @ right.T, -1.0, 1.0)  # rounding goes past 1 for equal rows
                values = cosines[np.triu_indices(len(left), 1)] if other == start else cosines.ravel()
                if len(values):
                    total += float(values.sum())
                    smallest = min(smallest, float(values.min()))
                    largest = max(largest, float(values.max()))
                    n_pairs += len(values)
    if not n_pairs:
        return PairCosines(None, None, None)
    return PairCosines(min(max(total / n_pairs, smallest), largest), smallest, largest)
