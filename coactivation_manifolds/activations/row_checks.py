"""Checks of token rows, with messages that name file and row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coactivation_manifolds.errors import CoactivationError, InputError

if TYPE_CHECKING:
    from coactivation_manifolds.activations.token_rows import TokenRows

REQUIRED_COLUMNS = ("doc_id", "token_index", "feature_ids", "activations")


def locate(offsets: npt.NDArray[np.int64], entry: int, *, source: str, first_row: int) -> str:
    """Where an entry stands: the file and its row, counted from 0."""
    return f"{source}, row {first_row + int(np.searchsorted(offsets, entry, side='right')) - 1}"


def require(table: pa.Table, name: str, *, source: str) -> pa.Array:
    """A column as one array.

    Raises
    ------
    InputError
        The table lacks it.

    """
    if name not in table.schema.names:
        raise InputError(
            f"{source} lacks the column {name!r}; needed are {', '.join(REQUIRED_COLUMNS)}, "
            f"found are {', '.join(table.schema.names)}"
        )
    column = table.column(name).combine_chunks()
    # combine_chunks of a table without rows gives a ChunkedArray in some versions
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def integer_column(table: pa.Table, name: str, *, source: str, first_row: int) -> npt.NDArray[np.int64]:
    """A column of integers without nulls, as int64.

    Raises
    ------
    InputError
        Missing, not integers, a null, or beyond int64.

    """
    column = require(table, name, source=source)
    _reject_nulls(column, name, source=source, first_row=first_row)
    return _integers(column, name, pa.int64(), source=source)


def nullable_column(table: pa.Table, name: str, *, source: str, first_row: int) -> npt.NDArray[np.int32]:
    """A column of integers from 0, null or missing where unknown, as int32 with -1 for null.

    Raises
    ------
    InputError
        Not integers, negative, or beyond int32.

    """
    if name not in table.schema.names or pa.types.is_null(table.schema.field(name).type):
        return np.full(table.num_rows, -1, np.int32)
    column = require(table, name, source=source)
    negative = np.flatnonzero(pc.less(column, 0).fill_null(False)) if _is_integer(column) else np.zeros(0, np.int64)
    if negative.size:
        row = int(negative[0])
        raise InputError(
            f"{source}, row {first_row + row}: {name} is {column[row].as_py()}; "
            "give numbers from 0, or null where unknown"
        )
    if not _is_integer(column):
        return _integers(column, name, pa.int32(), source=source)
    # unsigned columns can't hold -1: the unknown ones are put in afterwards
    known = _integers(column.fill_null(0), name, pa.int32(), source=source)
    unknown = column.is_null().to_numpy(zero_copy_only=False)
    return np.where(unknown, np.int32(-1), known)


def list_column(
    table: pa.Table, name: str, *, source: str, first_row: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """A column of lists, as offsets int64 [n + 1] from 0 and the flat values.

    Raises
    ------
    InputError
        Missing, not list or large_list of numbers, or a null in it.

    """
    column = require(table, name, source=source)
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        raise InputError(f"{source}: column {name!r} is {kind}, expected a list (or large_list) for each token")
    _reject_nulls(column, name, source=source, first_row=first_row, remedy="write an empty list where no latent fires")
    offsets = column.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    values = column.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    offsets = offsets - offsets[0]
    if values.null_count:
        entry = int(np.flatnonzero(values.is_null())[0])
        place = locate(offsets, entry, source=source, first_row=first_row)
        raise InputError(f"{place}: {name} holds a null; leave such entries out")
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise InputError(f"{source}: column {name!r} holds lists of {values.type}, expected numbers")
    return offsets, values.to_numpy(zero_copy_only=False)


def check_columns(rows: TokenRows, *, source: str, first_row: int, error: type[CoactivationError]) -> None:
    """Stop unless token_index increases, doc_id never decreases, and positions increase within a document.

    Raises
    ------
    CoactivationError
        Of class ``error``, naming the first row that breaks the order.

    """

    def fail(row: int, message: str) -> None:
        raise error(f"{source}, row {first_row + row}: {message}")

    for name in ("token_index", "doc_id"):
        negative = np.flatnonzero(getattr(rows, name) < 0)
        if negative.size:
            fail(int(negative[0]), f"{name} is {getattr(rows, name)[negative[0]]}; give numbers from 0")
    step = np.diff(rows.token_index)
    wrong = np.flatnonzero(step <= 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        fail(row, order_complaint(int(rows.token_index[row - 1]), int(rows.token_index[row])))
    same_document = np.diff(rows.doc_id)
    wrong = np.flatnonzero(same_document < 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        fail(
            row,
            f"doc_id {rows.doc_id[row]} follows {rows.doc_id[row - 1]}; number documents as token_index goes",
        )
    known = (rows.position_in_doc[1:] >= 0) & (rows.position_in_doc[:-1] >= 0)
    wrong = np.flatnonzero(known & (same_document == 0) & (np.diff(rows.position_in_doc) <= 0))
    if wrong.size:
        row = int(wrong[0]) + 1
        fail(
            row,
            f"position_in_doc {rows.position_in_doc[row]} follows {rows.position_in_doc[row - 1]} in document "
            f"{rows.doc_id[row]}; count through whole documents, or leave the column out if it counts within contexts",
        )


def order_complaint(before: int, after: int) -> str:
    """What is wrong where token_index does not increase."""
    if before == after:
        return f"token_index {after} stands twice; each token must have one row with all its latents"
    return f"token_index {after} follows {before}; sort the rows by token_index"


def check_entries(rows: TokenRows, *, source: str, first_row: int, error: type[CoactivationError]) -> None:
    """Stop unless ids are below n_latents, sorted and unique in each row.

    Raises
    ------
    CoactivationError
        Of class ``error``, naming the first row that breaks this.

    """
    ids = rows.feature_ids
    if len(ids) != len(rows.activations) or rows.offsets[-1] != len(ids):
        raise error(
            f"{source}: {len(ids)} feature ids, {len(rows.activations)} activations, offsets to {rows.offsets[-1]}"
        )
    outside = np.flatnonzero(ids >= rows.n_latents)
    if outside.size:
        place = locate(rows.offsets, int(outside[0]), source=source, first_row=first_row)
        raise error(f"{place}: feature id {ids[outside[0]]} is not in 0..{rows.n_latents - 1}; check n_latents")
    falling = np.zeros(len(ids), np.bool_)
    falling[1:] = ids[1:] <= ids[:-1]
    starts = rows.offsets[:-1]
    falling[starts[starts < len(ids)]] = False
    wrong = np.flatnonzero(falling)
    if wrong.size:
        entry = int(wrong[0])
        place = locate(rows.offsets, entry, source=source, first_row=first_row)
        problem = "stands twice" if ids[entry] == ids[entry - 1] else f"follows {ids[entry - 1]}"
        token = rows.token_index[np.searchsorted(rows.offsets, entry, side="right") - 1]
        raise error(
            f"{place}: feature id {ids[entry]} {problem} on token_index {token}; give the ids of each token sorted "
            "and once each"
        )


def _is_integer(column: pa.Array) -> bool:
    """Whether an array holds integers of any width."""
    return bool(pa.types.is_integer(column.type))


def _integers(column: pa.Array, name: str, to: pa.DataType, *, source: str) -> npt.NDArray[Any]:
    """Integers in another width, without loss."""
    if not _is_integer(column):
        raise InputError(f"{source}: column {name!r} is {column.type}, expected integers")
    try:
        return column.cast(to).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise InputError(f"{source}: column {name!r} holds a number beyond {to} ({error}); renumber it") from error


def _reject_nulls(
    column: pa.Array, name: str, *, source: str, first_row: int, remedy: str = "give a value for every row"
) -> None:
    """Stop at the first null."""
    if column.null_count:
        row = first_row + int(np.flatnonzero(column.is_null())[0])
        raise InputError(f"{source}, row {row}: {name} is null; {remedy}")
