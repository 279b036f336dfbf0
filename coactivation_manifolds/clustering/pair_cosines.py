"""Decoder cosines between all members of a cluster: pair by pair for small ones, in float64 blocks for large ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from coactivation_manifolds.similarity.cosine import Decoder, Values, decoder_cosine

SMALL = 256
"""Up to this size each pair is computed alone, to the same digits as in edges.parquet."""
BLOCK = 1024
"""Rows at once beyond it: two blocks and their product take 8 * (2 * 1024 * d_model + 1024^2) bytes."""


@dataclass(frozen=True)
class PairCosines:
    """Mean, smallest and largest cosine over all pairs; None where no pair has a cosine."""

    mean: float | None
    min: float | None
    max: float | None


def pair_cosines(
    decoder: Decoder, norms: Values, members: npt.ArrayLike, *, small: int = SMALL, block: int = BLOCK
) -> PairCosines:
    """Cosines over all pairs of members; pairs with a zero row have none and are left out.

    Parameters
    ----------
    decoder
        float32[n_latents, d_model], may be memory-mapped.
    norms
        float64[n_latents], ``similarity.cosine.row_norms(decoder)``.
    members
        The cluster's latents, each once.
    small, block
        The largest cluster that is computed pair by pair, and the rows of a block beyond it: the memory is bounded by
        them, not by the cluster.

    """
    ids = np.asarray(members, dtype=np.int64)
    ids = ids[norms[ids] > 0]
    if len(ids) < 2:
        return PairCosines(None, None, None)
    if len(ids) <= small:
        first, second = np.triu_indices(len(ids), 1)
        cosines = decoder_cosine(decoder, ids[first], ids[second], norms=norms)
        total, smallest, largest = float(cosines.sum()), float(cosines.min()), float(cosines.max())
    else:
        total, smallest, largest = _in_blocks(decoder, norms, ids, block)
    mean = total / (len(ids) * (len(ids) - 1) // 2)
    return PairCosines(min(max(mean, smallest), largest), smallest, largest)  # the mean is rounded, too


def _in_blocks(decoder: Decoder, norms: Values, ids: npt.NDArray[np.int64], block: int) -> tuple[float, float, float]:
    """Sum, smallest and largest cosine, as products of blocks in a fixed order on one thread."""

    def units(start: int) -> Values:
        part = ids[start : start + block]
        scaled: Values = decoder[part].astype(np.float64) / norms[part, None]
        return scaled

    total, smallest, largest = 0.0, np.inf, -np.inf
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, len(ids), block):
            left = units(start)
            for other in range(start, len(ids), block):
                same = other == start
                cosines = np.clip(left @ (left if same else units(other)).T, -1.0, 1.0)  # rounding may pass 1
                values = cosines[np.triu_indices(len(left), 1)] if same else cosines
                if values.size:
                    total += float(values.sum())
                    smallest, largest = min(smallest, float(values.min())), max(largest, float(values.max()))
    return total, smallest, largest
