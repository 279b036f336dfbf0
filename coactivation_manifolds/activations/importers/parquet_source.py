"""Import format ``parquet``: rows like ours, from any writer, in any row groups and number of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from coactivation_manifolds.activations.activation_reader import COLUMNS
from coactivation_manifolds.activations.importers.source import (
    BLOCK_ROWS,
    Block,
    FileSpan,
    Source,
    find_input_files,
    order_files,
)
from coactivation_manifolds.activations.row_checks import REQUIRED_COLUMNS, integer_column, order_complaint
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.storage import TABLE_ERRORS, damaged, open_table

SCAN_ROWS = 1_000_000


class ParquetSource(Source):
    """Parquet files with doc_id, token_index, feature_ids, activations, and maybe position_in_doc and token_id."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._n_latents = int(settings["n_latents"])
        files = find_input_files(settings["path"], ".parquet")
        self._spans = order_files([scan_file(path) for path in files])
        super().__init__(files=files, n_rows=sum(span.n_rows for span in self._spans))

    def blocks(self) -> Iterator[Block]:
        """The rows, a few thousand at a time."""
        for span in self._spans:
            first_row = 0
            for table in iter_tables(span.path, COLUMNS, BLOCK_ROWS):
                source = str(span.path)
                rows = TokenRows.from_table(table, self._n_latents, source=source, first_row=first_row)
                rows.check(source=source, first_row=first_row)
                yield Block(source, first_row, rows)
                first_row += table.num_rows


def iter_tables(path: Path, columns: Sequence[str], n_rows: int) -> Iterator[pa.Table]:
    """Some columns of a Parquet file, those that it has, in tables of at most ``n_rows`` rows.

    Raises
    ------
    InputError
        Missing or damaged.

    """
    with open_table(path) as parquet:
        names = [name for name in columns if name in parquet.schema_arrow.names]
        try:
            for batch in parquet.iter_batches(batch_size=n_rows, columns=names):
                yield pa.Table.from_batches([batch])
        except TABLE_ERRORS as error:
            raise damaged(path, error) from error


def scan_file(path: Path) -> FileSpan:
    """Which tokens a file holds, from its token_index alone.

    Raises
    ------
    InputError
        A needed column is missing, or token_index is not increasing.

    """
    with open_table(path) as parquet:
        names = parquet.schema_arrow.names
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise InputError(
            f"{path} lacks the column {missing[0]!r}; needed are {', '.join(REQUIRED_COLUMNS)}, found are "
            f"{', '.join(names)}"
        )
    n_rows, first, last = 0, -1, -1
    for table in iter_tables(path, ["token_index"], SCAN_ROWS):
        index = integer_column(table, "token_index", source=str(path), first_row=n_rows)
        if not len(index):
            continue
        wrong = np.flatnonzero(np.diff(index, prepend=last if n_rows else index[0] - 1) <= 0)
        if wrong.size:
            row = int(wrong[0])
            before = int(index[row - 1]) if row else last
            raise InputError(f"{path}, row {n_rows + row}: {order_complaint(before, int(index[row]))}")
        first = int(index[0]) if not n_rows else first
        last = int(index[-1])
        n_rows += len(index)
    return FileSpan(path, n_rows, first, last)
