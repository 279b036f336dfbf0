"""Reading the feature-major index: the tokens that given latents fire on, without touching the rest."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.activations.index_files import check_together, open_tokens
from coactivation_manifolds.activations.posting_lists import LatentRange, latent_ranges, postings_within
from coactivation_manifolds.activations.token_rows import NULL, check_positions_known
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import slice_schema
from coactivation_manifolds.storage import PathLike, read_array

BLOCK_ENTRIES = 8_000_000
"""Dense entries (rows times latents) of one block of ``iter_slice``: 32 MB."""

TABLE_ROWS = 65_536
"""Rows of one block of ``iter_tables``."""

NOWHERE = -1
"""Stands for a token that is not asked for, in a table of places."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClusterRows:
    """Tokens and the activations of some latents on them.

    ``token_rows`` int64 [n] ascending; ``activations`` float32 [n, k], dense, 0 where a latent does not fire.
    """

    token_rows: Rows
    activations: npt.NDArray[np.float32]


class FeatureIndex:
    """The index of one experiment; its arrays are memory-mapped, so opening costs nothing.

    Attributes
    ----------
    n_latents, n_tokens
        Size of the tokens x latents matrix.
    counts
        int64 [n_latents]: tokens that each latent fires on.

    """

    def __init__(
        self,
        offsets: npt.NDArray[np.int64],
        token_rows: npt.NDArray[Any],
        values: npt.NDArray[np.float16],
        tokens: pa.Table,
    ) -> None:
        self.offsets = offsets
        self.n_latents = len(offsets) - 1
        self.n_tokens = tokens.num_rows
        self.counts = np.diff(offsets)
        self._token_rows = token_rows
        self._values = values
        self._tokens = tokens

    @classmethod
    def open(cls, offsets_path: PathLike) -> FeatureIndex:
        """Open the index whose offsets lie at ``offsets_path``; its other files lie beside it.

        Raises
        ------
        InputError
            A file is missing or damaged.
        ResultsError
            The four files do not belong together.

        """
        folder = Path(offsets_path).parent
        offsets = read_array(offsets_path)
        token_rows = read_array(folder / "token_rows.npy", mmap=True)
        values = read_array(folder / "values.npy", mmap=True)
        tokens = open_tokens(folder / "tokens.arrow")
        check_together(folder, offsets, token_rows, values, tokens)
        return cls(offsets, token_rows, values, tokens)

    def postings(self, feature_id: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.float16]]:
        """Token rows (ascending) and activations of one latent, as memory-mapped views.

        Raises
        ------
        InputError
            No such latent.

        """
        self._check_features([feature_id])
        first, last = int(self.offsets[feature_id]), int(self.offsets[feature_id + 1])
        return self._token_rows[first:last], self._values[first:last]

    def iter_latents(self, *, entries: int) -> Iterator[LatentRange]:
        """All postings in the index's order, in ranges of latents with at most ``entries`` together, or one alone.

        What was read does not stay in memory.
        """
        for first, last in latent_ranges(self.counts, entries):
            low, high = int(self.offsets[first]), int(self.offsets[last])
            starts = self.offsets[first : last + 1] - low
            yield LatentRange(first, starts, self._token_rows[low:high], self._values[low:high])
            self.forget_pages()

    def forget_pages(self) -> None:
        """Let go of what was read of the mapped files, which counts as memory of the job."""
        for array in (self._token_rows, self._values):
            if isinstance(array.base, mmap.mmap):
                array.base.madvise(mmap.MADV_DONTNEED)

    def matching_rows(
        self, feature_ids: Sequence[int], *, min_active: int = 1, positions: Sequence[int] | None = None
    ) -> Rows:
        """Tokens on which at least ``min_active`` of the latents fire, ascending, int64.

        Parameters
        ----------
        feature_ids
            The latents, each once.
        min_active
            Smallest number of them that must fire on a token.
        positions
            Only tokens with first <= position_in_doc < last.

        Raises
        ------
        InputError
            No such latent, a latent named twice, or a window asked of tokens without positions.

        """
        features = self._check_features(feature_ids)
        if min_active < 1:
            raise InputError(f"min_active is {min_active}; at least one latent must fire on a token, so give 1 or more")
        total = int(self.counts[features].sum())
        if total * 16 < self.n_tokens:
            parts = [np.zeros(0, np.int64), *(self.postings(f)[0].astype(np.int64) for f in features)]
            rows, firing = np.unique(np.concatenate(parts), return_counts=True)
            rows = rows[firing >= min_active]
        else:
            firing = np.zeros(self.n_tokens, np.min_scalar_type(max(1, len(features))))
            for feature in features:
                # a latent has each token once, so plain indexed addition counts right
                firing[self.postings(feature)[0]] += 1
            rows = np.flatnonzero(firing >= min_active)
        if positions is not None:
            position = self._column("position_in_doc", rows)
            check_positions_known(position, positions)
            rows = rows[(position >= positions[0]) & (position < positions[1])]
        return rows.astype(np.int64, copy=False)

    def activations_at(self, feature_ids: Sequence[int], token_rows: Rows) -> npt.NDArray[np.float32]:
        """Activations of the latents on given tokens, float32 [len(token_rows), len(feature_ids)], columns as given.

        ``token_rows`` must be ascending and unique.
        """
        features = self._check_features(feature_ids)
        dense = np.zeros((len(token_rows), len(features)), np.float32)
        if not len(token_rows):
            return dense
        first, last = int(token_rows[0]), int(token_rows[-1])
        lists = [postings_within(*self.postings(feature), first, last) for feature in features]
        # a table of places costs its length once, a search some twenty times as much as a look-up
        places = None
        if sum(len(rows) for rows, _ in lists) * 16 > last - first:
            places = np.full(last - first + 1, NOWHERE, np.int64)
            places[token_rows - first] = np.arange(len(token_rows))
        for column, (rows, values) in enumerate(lists):
            if places is not None:
                place = places[rows - rows.dtype.type(first)]
                found = place != NOWHERE
            else:
                place = np.searchsorted(token_rows, rows.astype(np.int64))
                found = token_rows[place] == rows
            dense[place[found], column] = values[found]
        return dense

    def slice(
        self, feature_ids: Sequence[int], *, min_active: int = 1, positions: Sequence[int] | None = None
    ) -> ClusterRows:
        """Tokens on which at least ``min_active`` of the latents fire, with the latents' activations.

        Parameters and errors as ``matching_rows``; columns are in the order of ``feature_ids``.
        """
        rows = self.matching_rows(feature_ids, min_active=min_active, positions=positions)
        return ClusterRows(rows, self.activations_at(feature_ids, rows))

    def iter_slice(
        self,
        feature_ids: Sequence[int],
        *,
        min_active: int = 1,
        positions: Sequence[int] | None = None,
        block_entries: int = BLOCK_ENTRIES,
    ) -> Iterator[ClusterRows]:
        """What ``slice`` gives, in blocks of ascending tokens that hold at most about ``block_entries`` numbers."""
        rows = self.matching_rows(feature_ids, min_active=min_active, positions=positions)
        step = max(1, block_entries // max(1, len(feature_ids)))
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            yield ClusterRows(block, self.activations_at(feature_ids, block))

    def count_any(self, feature_ids: Sequence[int]) -> int:
        """How many tokens at least one of the latents fires on."""
        return len(self.matching_rows(feature_ids))

    def tokens(self, token_rows: Rows) -> pa.Table:
        """doc_id, token_index, position_in_doc, token_id of given tokens, in the order given; unknown ones are null."""
        return self._tokens.take(pa.array(np.asarray(token_rows, np.int64)))

    def token_ids(self) -> npt.NDArray[np.int32]:
        """Token ids of all tokens, int32 [n_tokens], -1 where unknown."""
        ids: npt.NDArray[np.int32] = self._tokens.column("token_id").fill_null(NULL).to_numpy()
        return ids

    def next_token_ids(self, token_rows: Rows) -> pa.Array:
        """The id of the token after each given one, int32.

        Null at the end of a document, where the next token is not among the rows (position_in_doc, or token_index where
        there are no positions, does not go on by one), and where the id is unknown.
        """
        here = np.asarray(token_rows, np.int64)
        following = np.minimum(here + 1, self.n_tokens - 1)
        position, next_position = self._column("position_in_doc", here), self._column("position_in_doc", following)
        index, next_index = self._column("token_index", here), self._column("token_index", following)
        counted = (position != NULL) & (next_position != NULL)
        adjoining = np.where(counted, next_position == position + 1, next_index == index + 1)
        same_document = self._column("doc_id", here) == self._column("doc_id", following)
        token = self._column("token_id", following)
        known = adjoining & same_document & (following > here) & (token != NULL)
        return pa.array(token, pa.int32(), mask=~known)

    def table(self, feature_ids: Sequence[int]) -> pa.Table:
        """The tokens on which any of the latents fires, as rows like those of the activations, with these latents only.

        Columns: token_row, doc_id, token_index, position_in_doc, token_id, feature_ids (ascending), activations.
        """
        return pa.Table.from_batches(
            [batch for table in self.iter_tables(feature_ids) for batch in table.to_batches()],
            schema=slice_schema(self.n_latents),
        )

    def iter_tables(self, feature_ids: Sequence[int], *, block_rows: int = TABLE_ROWS) -> Iterator[pa.Table]:
        """What ``table`` gives, in blocks of at most ``block_rows`` tokens."""
        features = sorted(self._check_features(feature_ids))
        rows = self.matching_rows(features)
        for start in range(0, len(rows), block_rows):
            yield self._restricted_table(features, rows[start : start + block_rows])

    def _restricted_table(self, features: list[int], rows: Rows) -> pa.Table:
        """One block of ``iter_tables``: entries of ascending ``features`` within the span of ``rows``."""
        token_rows, ids, values = [], [], []
        for feature in features:
            fired, activations = postings_within(*self.postings(feature), int(rows[0]), int(rows[-1]))
            token_rows.append(fired.astype(np.int64))
            ids.append(np.full(len(fired), feature, np.int64))
            values.append(activations)
        entry_rows = np.concatenate(token_rows)
        order = np.argsort(entry_rows, kind="stable")
        offsets = pa.array(np.searchsorted(entry_rows[order], np.append(rows, rows[-1] + 1)), pa.int64())
        schema = slice_schema(self.n_latents)
        id_type, value_type = schema.field("feature_ids").type, schema.field("activations").type
        lists = [
            pa.LargeListArray.from_arrays(
                offsets, pa.array(np.concatenate(ids)[order], id_type.value_type), type=id_type
            ),
            pa.LargeListArray.from_arrays(offsets, pa.array(np.concatenate(values)[order]), type=value_type),
        ]
        columns = [pa.array(rows, pa.int64()), *self.tokens(rows).combine_chunks().columns, *lists]
        return pa.Table.from_arrays(columns, schema=schema)

    def _column(self, name: str, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A column of the tokens at given rows, -1 for null."""
        column = self._tokens.column(name).take(pa.array(np.asarray(rows, np.int64)))
        values: npt.NDArray[Any] = column.fill_null(NULL).to_numpy()
        return values

    def _check_features(self, feature_ids: Sequence[int]) -> list[int]:
        """The latents as plain integers, after checking that they exist and are named once."""
        features = [int(feature) for feature in feature_ids]
        outside = [feature for feature in features if not 0 <= feature < self.n_latents]
        if outside:
            raise InputError(f"there is no latent {outside[0]}: this experiment has 0 to {self.n_latents - 1}")
        if len(set(features)) != len(features):
            twice = next(feature for feature in features if features.count(feature) > 1)
            raise InputError(f"latent {twice} is named twice; name each once")
        return features
