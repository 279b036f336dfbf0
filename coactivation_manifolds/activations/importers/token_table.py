"""The token table that may come with a sparse matrix: one row a token, with its document, ids and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from coactivation_manifolds.activations.importers.parquet_source import iter_tables
from coactivation_manifolds.activations.importers.source import BLOCK_ROWS
from coactivation_manifolds.activations.row_checks import integer_column, nullable_column
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.schemas import VOCAB
from coactivation_manifolds.storage import open_table

TABLE_COLUMNS = ("token_row", "doc_id", "token_index", "position_in_doc", "token_id", "token")

LARGEST_ID = int(np.iinfo(np.int32).max)

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TokenTexts:
    """Where a table keeps the ids of its tokens, and their texts.

    Attributes
    ----------
    id_column
        The integer column of token ids; None where there is none.
    numbered
        Distinct texts in order, where ids are to be made of them: a text's id is its place. None otherwise.
    vocabulary
        schemas.VOCAB: the text of each id, as far as known.

    """

    id_column: str | None = None
    numbered: pa.Array | None = None
    vocabulary: pa.Table = field(default_factory=VOCAB.empty_table)


def read_token_texts(path: Path, n_rows: int, notes: list[str]) -> TokenTexts:
    """Find ids and texts of tokens; adds to ``notes`` what is not used.

    Raises
    ------
    InputError
        The table is missing, damaged, has another number of rows than the matrix, or gives one id two texts.

    """
    with open_table(path) as parquet:
        schema, table_rows = parquet.schema_arrow, parquet.metadata.num_rows
    if table_rows != n_rows:
        raise InputError(f"activations.tokens: {path} has {table_rows} rows, the matrix {n_rows}; give one row a token")
    types = {name: schema.field(name).type for name in ("token_id", "token") if name in schema.names}
    id_column = next((name for name, kind in types.items() if pa.types.is_integer(kind)), None)
    has_text = "token" in types and (pa.types.is_string(types["token"]) or pa.types.is_large_string(types["token"]))
    for name, kind in types.items():
        if name != id_column and not (name == "token" and has_text):
            notes.append(f"{path}: column {name!r} is {kind} and not used; give ids as integers, texts as strings")
    if not has_text:
        return TokenTexts(id_column=id_column)
    if id_column is None:
        distinct: set[str] = set()
        for table in text_tables(path, ["token"]):
            distinct.update(text for text in pc.unique(table["token"]).to_pylist() if text is not None)
        texts = sorted(distinct)
        ids = range(len(texts))
        return TokenTexts(
            None, pa.array(texts, pa.large_string()), vocabulary_table(dict(zip(ids, texts, strict=True)))
        )
    return TokenTexts(id_column, None, vocabulary_table(texts_of_ids(path, id_column)))


def texts_of_ids(path: Path, id_column: str) -> dict[int, str]:
    """The text of each token id of a table that holds both."""
    known: dict[int, str] = {}
    for table in text_tables(path, [id_column, "token"]):
        pairs = table.group_by([id_column, "token"]).aggregate([]).to_pylist()
        for pair in pairs:
            number, text = pair[id_column], pair["token"]
            if number is None or text is None:
                continue
            if not 0 <= number <= LARGEST_ID:
                raise InputError(f"{path}: {id_column} holds {number}; give numbers from 0 to {LARGEST_ID}")
            if known.setdefault(number, text) != text:
                raise InputError(
                    f"{path}: {id_column} {number} has two texts, {known[number]!r} and {text!r}; give each id one text"
                )
    return known


def text_tables(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of the table, one of them ``token``, whose texts are checked: Arrow itself takes any bytes.

    Raises
    ------
    InputError
        Missing or damaged, or a text is not UTF-8.

    """
    for table in iter_tables(path, columns, BLOCK_ROWS):
        try:
            table.column("token").validate(full=True)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: the column 'token' holds bytes that are not UTF-8; write it anew") from error
        yield table


def vocabulary_table(texts: dict[int, str]) -> pa.Table:
    """schemas.VOCAB from ids and texts, ascending."""
    ids = sorted(texts)
    columns = [pa.array(ids, pa.int32()), pa.array([texts[number] for number in ids], pa.string())]
    return pa.Table.from_arrays(columns, schema=VOCAB)


def token_columns(table: pa.Table, texts: TokenTexts, *, source: str, first_row: int) -> dict[str, Array]:
    """The descriptions of some tokens from their table; token_index is the row where the table has none.

    Raises
    ------
    InputError
        Wrong types or nulls, or token_row is not 0, 1, 2, ...

    """
    number = np.arange(first_row, first_row + table.num_rows, dtype=np.int64)

    def column(name: str, default: Array) -> Array:
        known = name in table.schema.names
        return integer_column(table, name, source=source, first_row=first_row) if known else default

    token_row = column("token_row", number)
    wrong = np.flatnonzero(token_row != number)
    if wrong.size:
        row = first_row + int(wrong[0])
        raise InputError(f"{source}, row {row}: token_row is {token_row[wrong[0]]}; sort the table so that it is {row}")
    return {
        "token_index": column("token_index", number),
        "doc_id": column("doc_id", np.zeros(table.num_rows, np.int64)),
        "position_in_doc": nullable_column(table, "position_in_doc", source=source, first_row=first_row),
        "token_id": nullable_column(with_ids(table, texts), "token_id", source=source, first_row=first_row),
    }


def with_ids(table: pa.Table, texts: TokenTexts) -> pa.Table:
    """The table with a column ``token_id``, where ids are known or made of texts; without one otherwise."""
    if texts.id_column == "token_id":
        return table
    if "token_id" in table.schema.names:
        table = table.drop_columns(["token_id"])
    if texts.id_column is not None:
        return table.append_column("token_id", table.column(texts.id_column))
    if texts.numbered is None:
        return table
    text = table.column("token").cast(pa.large_string())
    return table.append_column("token_id", pc.index_in(text, value_set=texts.numbered))
