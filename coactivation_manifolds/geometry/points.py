"""The points of a cluster: tokens on which at least ``min_active`` of its latents fire, and their values there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from coactivation_manifolds.activations.index import ClusterRows, FeatureIndex

BLOCK_ENTRIES = 2**22
"""Entries of one dense block of activations (32 MB as float64); fixed, since the cut decides the last digits."""


def cluster_points(
    index: FeatureIndex, members: Sequence[int], *, min_active: int, positions: Sequence[int] | None = None
) -> ClusterRows:
    """The points of a cluster as one dense array, for clusters of ordinary size.

    Parameters
    ----------
    index
        The experiment's feature-major index.
    members
        Latent ids; the columns come in this order.
    min_active
        Smallest number of members that fire on a token of the cluster.
    positions
        ``[first, last)`` position in the document; None takes all tokens.

    Raises
    ------
    InputError
        A window of positions is asked for, but the activations were imported without positions.

    """
    return index.slice(list(members), min_active=min_active, positions=positions)


@dataclass(frozen=True, eq=False)
class Points:
    """The points of a cluster of any size, their activations read block by block.

    Attributes
    ----------
    index, members
        Where the activations come from; columns in the order of ``members``.
    token_rows
        int64 [n], ascending: row of each point in the index.

    """

    index: FeatureIndex
    members: tuple[int, ...]
    token_rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.token_rows)

    @property
    def rows_per_block(self) -> int:
        """Points in one block."""
        return max(1024, BLOCK_ENTRIES // max(1, len(self.members)))

    def blocks(self) -> Iterator[npt.NDArray[np.float64]]:
        """Dense activations, float64 [at most ``rows_per_block``, k], in the order of ``token_rows``."""
        for start in range(0, len(self), self.rows_per_block):
            yield self.activations(self.token_rows[start : start + self.rows_per_block])

    def activations(self, token_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Dense activations of some tokens, float64 [len(token_rows), k]; ``token_rows`` ascending."""
        return self.index.activations_at(self.members, token_rows).astype(np.float64)


def find_points(
    index: FeatureIndex, members: Sequence[int], *, min_active: int, positions: Sequence[int] | None = None
) -> Points:
    """Find the points of a cluster of any size; parameters and errors as ``cluster_points``."""
    rows = index.matching_rows(members, min_active=min_active, positions=positions)
    return Points(index=index, members=tuple(members), token_rows=rows)
