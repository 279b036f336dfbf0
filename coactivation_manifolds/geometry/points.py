"""The points of a cluster: tokens on which at least ``min_active`` of its latents fire, and their values there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.errors import InputError

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

    """
    return index.slice(list(members), min_active=min_active, positions=positions)


@dataclass(frozen=True)
class Points:
    """The points of a cluster, their activations read block by block.

    Attributes
    ----------
    index, members
        Where the activations come from; columns in the order of ``members``.
    token_rows
        int64 [n], ascending: row of each point in the index.
    n_active
        int64 [n]: how many members fire on it.

    """

    index: FeatureIndex
    members: tuple[int, ...]
    token_rows: npt.NDArray[np.int64]
    n_active: npt.NDArray[np.int64]

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
        dense = np.zeros((len(token_rows), len(self.members)))
        if len(token_rows) == 0:
            return dense
        for column, member in enumerate(self.members):
            rows, values = self.index.postings(member)
            first, last = np.searchsorted(rows, [token_rows[0], token_rows[-1] + 1])
            here = np.asarray(rows[first:last]).astype(np.int64)
            place = np.searchsorted(token_rows, here)
            wanted = token_rows[place] == here
            dense[place[wanted], column] = np.asarray(values[first:last])[wanted]
        return dense


def find_points(
    index: FeatureIndex, members: Sequence[int], *, min_active: int, positions: Sequence[int] | None = None
) -> Points:
    """Find the points of a cluster of any size in bounded memory; parameters as ``cluster_points``.

    Raises
    ------
    InputError
        A window of positions is asked for, but the activations were imported without positions.

    """
    token_rows, n_active = firing_counts(index, members)
    keep = n_active >= min_active
    token_rows, n_active = token_rows[keep], n_active[keep]
    if positions is not None and len(token_rows):
        keep = in_window(index, token_rows, positions)
        token_rows, n_active = token_rows[keep], n_active[keep]
    return Points(index=index, members=tuple(members), token_rows=token_rows, n_active=n_active)


def firing_counts(index: FeatureIndex, members: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tokens on which any of these latents fires, ascending, and how many fire there."""
    postings = [index.postings(member)[0] for member in members]
    entries = sum(len(rows) for rows in postings)
    if entries == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if entries <= index.n_tokens // 8:
        # sorting beats a counter for each token of the corpus while the cluster fires rarely
        rows, counts = np.unique(np.concatenate(postings), return_counts=True)
        return rows.astype(np.int64), counts.astype(np.int64)
    counter = np.zeros(index.n_tokens, dtype=np.int32)
    for rows in postings:
        counter[rows] += 1  # a latent's rows are unique
    token_rows = np.flatnonzero(counter)
    return token_rows.astype(np.int64), counter[token_rows].astype(np.int64)


def in_window(
    index: FeatureIndex, token_rows: npt.NDArray[np.int64], positions: Sequence[int]
) -> npt.NDArray[np.bool_]:
    """Which tokens lie in ``[first, last)`` of their document."""
    column = index.tokens(token_rows).column("position_in_doc")
    if column.null_count:
        raise InputError(
            "counting.positions needs each token's position in its document, but these activations have none: "
            "give position_in_doc in the imported files, or set counting.positions to null"
        )
    place = column.to_numpy()
    return np.asarray((place >= positions[0]) & (place < positions[1]))
