"""Token-major activations in memory: tokens and the latents that fire on each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.activations.float16_values import to_float16
from coactivation_manifolds.activations.row_checks import (
    check_columns,
    check_entries,
    integer_column,
    list_column,
    locate,
    nullable_column,
)
from coactivation_manifolds.errors import CoactivationError, InputError
from coactivation_manifolds.schemas import MAX_UINT16_LATENTS, activations_schema

NULL = -1
"""Stands for a missing position_in_doc or token_id."""

FeatureIds = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


def feature_id_dtype(n_latents: int) -> np.dtype[Any]:
    """NumPy's type of latent ids: uint16 up to 65,536 latents, uint32 above."""
    return np.dtype(np.uint16 if n_latents <= MAX_UINT16_LATENTS else np.uint32)


@dataclass(frozen=True, eq=False)
class TokenRows:
    """Consecutive tokens, each with the latents that fire on it: a CSR matrix with the tokens' descriptions.

    Row ``t`` owns the entries ``offsets[t]:offsets[t + 1]`` of ``feature_ids`` and ``activations``.
    ``position_in_doc`` and ``token_id`` are -1 where unknown. ``raised`` numbers the entries whose value was raised to
    the smallest float16 when they were made; a file does not hold it.
    """

    doc_id: npt.NDArray[np.int64]
    token_index: npt.NDArray[np.int64]
    position_in_doc: npt.NDArray[np.int32]
    token_id: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    feature_ids: FeatureIds
    activations: npt.NDArray[np.float16]
    n_latents: int
    raised: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def n_tokens(self) -> int:
        """Number of rows."""
        return len(self.token_index)

    @property
    def n_entries(self) -> int:
        """Number of token-latent pairs."""
        return len(self.feature_ids)

    @property
    def n_raised_to_subnormal(self) -> int:
        """How many values would have rounded to zero."""
        return len(self.raised)

    @property
    def latents_per_token(self) -> npt.NDArray[np.int64]:
        """How many latents fire on each token, int64 [n_tokens]."""
        return np.diff(self.offsets)

    def row_of_entries(self) -> npt.NDArray[np.int64]:
        """The row that each entry belongs to, int64 [n_entries]."""
        return np.repeat(np.arange(self.n_tokens, dtype=np.int64), self.latents_per_token)

    def rows(self, start: int, stop: int) -> TokenRows:
        """The rows start:stop; arrays are views."""
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        low, high = np.searchsorted(self.raised, [first, last])
        return TokenRows(
            doc_id=self.doc_id[start:stop],
            token_index=self.token_index[start:stop],
            position_in_doc=self.position_in_doc[start:stop],
            token_id=self.token_id[start:stop],
            offsets=self.offsets[start : stop + 1] - first,
            feature_ids=self.feature_ids[first:last],
            activations=self.activations[first:last],
            n_latents=self.n_latents,
            raised=self.raised[low:high] - first,
        )

    def select(self, keep: npt.NDArray[np.bool_]) -> TokenRows:
        """The rows where ``keep`` (bool [n_tokens]) is true, in their order."""
        entries = np.repeat(keep, self.latents_per_token)
        return TokenRows(
            doc_id=self.doc_id[keep],
            token_index=self.token_index[keep],
            position_in_doc=self.position_in_doc[keep],
            token_id=self.token_id[keep],
            offsets=_offsets(self.latents_per_token[keep]),
            feature_ids=self.feature_ids[entries],
            activations=self.activations[entries],
            n_latents=self.n_latents,
            raised=(np.cumsum(entries) - 1)[self.raised[entries[self.raised]]],
        )

    def in_positions(self, positions: Sequence[int] | None) -> TokenRows:
        """The rows with first <= position_in_doc < last; all rows where ``positions`` is None.

        Raises
        ------
        InputError
            A window is asked for but some position is unknown.

        """
        if positions is None:
            return self
        first, last = positions
        check_positions_known(self.position_in_doc, positions)
        return self.select((self.position_in_doc >= first) & (self.position_in_doc < last))

    def check(self, *, source: str, first_row: int = 0, error: type[CoactivationError] = InputError) -> None:
        """Stop unless the rows are as the files need them.

        token_index strictly increasing, doc_id never decreasing, positions increasing within a document, ids sorted,
        unique and below n_latents, values positive and finite.

        Raises
        ------
        CoactivationError
            Of class ``error``; the message names ``source`` and the row, counted from ``first_row``.

        """
        check_columns(self, source=source, first_row=first_row, error=error)
        check_entries(self, source=source, first_row=first_row, error=error)
        to_float16(
            self.activations,
            describe=lambda entry: locate(self.offsets, entry, source=source, first_row=first_row),
            error=error,
        )

    def to_table(self) -> pa.Table:
        """The rows as an Arrow table of the files' schema; -1 becomes null."""
        schema = activations_schema(self.n_latents)
        offsets = pa.array(self.offsets, pa.int64())
        ids = pa.LargeListArray.from_arrays(offsets, pa.array(self.feature_ids), type=schema.field("feature_ids").type)
        values = pa.LargeListArray.from_arrays(
            offsets, pa.array(self.activations), type=schema.field("activations").type
        )
        columns = [
            pa.array(self.doc_id, pa.int64()),
            pa.array(self.token_index, pa.int64()),
            pa.array(self.position_in_doc, pa.int32(), mask=self.position_in_doc == NULL),
            pa.array(self.token_id, pa.int32(), mask=self.token_id == NULL),
            ids,
            values,
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    @classmethod
    def from_table(
        cls, table: pa.Table, n_latents: int, *, source: str = "activations", first_row: int = 0
    ) -> TokenRows:
        """Rows from an Arrow table of ours or of another writer.

        Needs doc_id, token_index, feature_ids and activations; list or large_list, any integer and number type. Only
        what is needed to build the arrays is checked here (types, nulls, lengths, ranges); ``check`` does the rest.

        Parameters
        ----------
        table
            The rows.
        n_latents
            Number of latents of the SAE.
        source, first_row
            Name of the file and number of the table's first row in it, for messages.

        Raises
        ------
        InputError
            A column is missing, of a wrong type or holds nulls; ids and values differ in length; an id is not below
            n_latents; a value is NaN, not positive or beyond float16's range.

        """
        offsets, ids = list_column(table, "feature_ids", source=source, first_row=first_row)
        value_offsets, values = list_column(table, "activations", source=source, first_row=first_row)
        unequal = np.flatnonzero(np.diff(offsets) != np.diff(value_offsets))
        if unequal.size:
            row = int(unequal[0])
            raise InputError(
                f"{source}, row {first_row + row}: {offsets[row + 1] - offsets[row]} feature_ids but "
                f"{value_offsets[row + 1] - value_offsets[row]} activations; give one value for each id"
            )
        if not np.issubdtype(ids.dtype, np.integer):
            raise InputError(f"{source}: feature_ids holds {ids.dtype}, expected integers")
        if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
            raise InputError(f"{source}: activations holds {values.dtype}, expected float16 or float32")

        def place(entry: int) -> str:
            return locate(offsets, entry, source=source, first_row=first_row)

        return cls(
            doc_id=integer_column(table, "doc_id", source=source, first_row=first_row),
            token_index=integer_column(table, "token_index", source=source, first_row=first_row),
            position_in_doc=nullable_column(table, "position_in_doc", source=source, first_row=first_row),
            token_id=nullable_column(table, "token_id", source=source, first_row=first_row),
            offsets=offsets,
            n_latents=n_latents,
            **entry_columns(ids, values, n_latents=n_latents, place=place),
        )


def entry_columns(
    ids: npt.NDArray[Any], values: npt.NDArray[Any], *, n_latents: int, place: Any
) -> dict[str, npt.NDArray[Any]]:
    """Ids and values of any type in the types of ``TokenRows``: feature_ids, activations and raised.

    Raises
    ------
    InputError
        An id out of range, or a value that float16 can't hold; ``place(entry)`` names the spot.

    """
    outside = np.flatnonzero((ids < 0) | (ids >= n_latents))
    if outside.size:
        entry = int(outside[0])
        raise InputError(
            f"{place(entry)}: feature id {ids[entry]} is not in 0..{n_latents - 1}; check n_latents "
            f"({n_latents}) in the experiment file, or the ids (an id that wrapped round?)"
        )
    activations, raised = to_float16(values, describe=place, error=InputError)
    return {
        "feature_ids": ids.astype(feature_id_dtype(n_latents), copy=False),
        "activations": activations,
        "raised": raised,
    }


def check_positions_known(position_in_doc: npt.NDArray[np.int32], positions: Sequence[int]) -> None:
    """Stop where a window of positions is asked of tokens whose positions are unknown.

    Raises
    ------
    InputError
        Some position is -1.

    """
    if np.any(position_in_doc == NULL):
        raise InputError(
            f"counting.positions = {list(positions)} asks for a window of positions, but the activations hold tokens "
            "without position_in_doc; give that column, or set counting.positions to null"
        )


def concatenate(blocks: Iterable[TokenRows], n_latents: int) -> TokenRows:
    """Join blocks of rows, in the order given; no block gives no rows."""
    parts = list(blocks)
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(part.n_entries for part in parts)])

    def joined(name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        return np.concatenate([np.zeros(0, dtype), *(getattr(part, name) for part in parts)], dtype=dtype)

    return TokenRows(
        doc_id=joined("doc_id", np.int64),
        token_index=joined("token_index", np.int64),
        position_in_doc=joined("position_in_doc", np.int32),
        token_id=joined("token_id", np.int32),
        offsets=_offsets(joined("latents_per_token", np.int64)),
        feature_ids=joined("feature_ids", feature_id_dtype(n_latents)),
        activations=joined("activations", np.float16),
        n_latents=n_latents,
        raised=np.concatenate(
            [np.zeros(0, np.int64), *(part.raised + start for part, start in zip(parts, starts, strict=False))]
        ),
    )


def empty_rows(n_latents: int) -> TokenRows:
    """No rows."""
    return concatenate([], n_latents)


def _offsets(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where rows of these lengths begin and the last one ends, int64 [n + 1]."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
