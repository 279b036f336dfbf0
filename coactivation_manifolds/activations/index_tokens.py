"""Writing tokens.arrow, the index's descriptions of the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.activations.token_rows import NULL, TokenRows
from coactivation_manifolds.schemas import INDEX_TOKENS
from coactivation_manifolds.storage import FORMAT_KEY, FORMAT_VERSION

TOKENS_PER_BATCH = 262_144
"""Rows of one record batch, whatever the shards and parts."""


class TokensFile:
    """An Arrow IPC file of the tokens' descriptions, one row a token, open for adding to."""

    def __init__(self, path: Path) -> None:
        self._schema = INDEX_TOKENS.with_metadata({FORMAT_KEY: str(FORMAT_VERSION).encode()})
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, self._schema)
        self._pending: list[list[npt.NDArray[Any]]] = []
        self._n_pending = 0

    def __enter__(self) -> TokensFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write_batches(at_least=1)
            self._writer.close()
        finally:
            self._sink.close()

    def add(self, rows: TokenRows) -> None:
        """Append some tokens."""
        self._pending.append([rows.doc_id, rows.token_index, rows.position_in_doc, rows.token_id])
        self._n_pending += rows.n_tokens
        if self._n_pending >= TOKENS_PER_BATCH:
            self._write_batches(at_least=TOKENS_PER_BATCH)

    def _write_batches(self, *, at_least: int) -> None:
        """Write what is pending in batches, and keep what would make one shorter than ``at_least``."""
        columns = [np.concatenate(column) for column in zip(*self._pending, strict=True)]
        start = 0
        while self._n_pending >= at_least:
            stop = start + min(self._n_pending, TOKENS_PER_BATCH)
            self._writer.write_batch(token_batch([column[start:stop] for column in columns], self._schema))
            self._n_pending -= stop - start
            start = stop
        self._pending = [[column[start:] for column in columns]] if self._n_pending else []


def token_batch(columns: Sequence[npt.NDArray[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """The descriptions of tokens as a record batch; -1 becomes null in the two columns that may be unknown."""
    arrays = []
    for values, field in zip(columns, schema, strict=True):
        unknown = values == NULL if field.name in ("position_in_doc", "token_id") else None
        # a mask without a null would leave a bitmap in the file or not, by the way the array came about
        arrays.append(pa.array(values, field.type, mask=unknown if unknown is not None and unknown.any() else None))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
