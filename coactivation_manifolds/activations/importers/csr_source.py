"""Import format ``csr``: a sparse matrix tokens x latents saved by scipy.sparse.save_npz, maybe with a token table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coactivation_manifolds.activations.importers.npz_files import read_members, whole_numbers
from coactivation_manifolds.activations.importers.parquet_source import iter_tables
from coactivation_manifolds.activations.importers.source import BLOCK_ROWS, Block, Source, find_input_files
from coactivation_manifolds.activations.importers.token_table import (
    TABLE_COLUMNS,
    TokenTexts,
    read_token_texts,
    token_columns,
)
from coactivation_manifolds.activations.row_checks import locate
from coactivation_manifolds.activations.token_rows import NULL, TokenRows, entry_columns
from coactivation_manifolds.errors import InputError

MAX_EMPTY_ROWS = 1_000
"""Rows of a CSC matrix for each entry: no array of it is as long as its rows, so that it can claim any number."""

MEMBERS = ("format", "shape", "data", "indices", "indptr")

Array = npt.NDArray[Any]


class CsrSource(Source):
    """A CSR or CSC matrix, held in memory, turned into rows by chunks."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._n_latents = int(settings["n_latents"])
        files = find_input_files(settings["path"], ".npz")
        if len(files) > 1:
            raise InputError(
                f"activations.path: {settings['path']} names {len(files)} files ({files[0]}, {files[1]}, ...); give "
                "one matrix, or use the format parquet or npz_shards for many files"
            )
        self._path = files[0]
        self._indptr, self._indices, self._data = read_matrix(self._path, n_latents=self._n_latents)
        n_rows = len(self._indptr) - 1
        if not n_rows:
            raise InputError(f"{self._path} has no rows; nothing to import")
        self._texts = TokenTexts()
        self._table = Path(settings["tokens"]) if settings.get("tokens") else None
        super().__init__(files=files + ([self._table] if self._table else []), n_rows=n_rows)
        if self._table is None:
            self.notes.append(
                "no activations.tokens: rows are numbered as token_index, all tokens count as one document, positions "
                "and token ids are unknown"
            )
        else:
            self._texts = read_token_texts(self._table, n_rows, self.notes)
            self.vocabulary = self._texts.vocabulary

    def blocks(self) -> Iterator[Block]:
        """The rows, a few thousand at a time; stored zeros are dropped and counted in ``notes``."""
        n_zeros = 0
        start = 0
        for columns in self._token_columns():
            stop = start + len(columns["token_index"])
            rows, dropped = self._rows(start, stop, columns)
            rows.check(source=str(self._path), first_row=start)
            n_zeros += dropped
            yield Block(str(self._path), start, rows)
            start = stop
        if n_zeros:
            self.notes.append(f"{n_zeros} zeros stored in the matrix were dropped: a latent at zero does not fire")

    def _rows(self, start: int, stop: int, columns: Mapping[str, Array]) -> tuple[TokenRows, int]:
        """Rows start:stop of the matrix, and how many stored zeros were dropped."""
        first, last = int(self._indptr[start]), int(self._indptr[stop])
        offsets = self._indptr[start : stop + 1] - first
        ids, values = self._indices[first:last], self._data[first:last]
        zero = values == 0
        dropped = int(np.count_nonzero(zero))
        if dropped:
            kept_before = np.concatenate([[0], np.cumsum(~zero)])
            offsets, ids, values = kept_before[offsets], ids[~zero], values[~zero]

        def place(entry: int) -> str:
            return locate(offsets, entry, source=str(self._path), first_row=start)

        rows = TokenRows(
            doc_id=columns["doc_id"],
            token_index=columns["token_index"],
            position_in_doc=columns["position_in_doc"],
            token_id=columns["token_id"],
            offsets=offsets,
            n_latents=self._n_latents,
            **entry_columns(ids, values, n_latents=self._n_latents, place=place),
        )
        return rows, dropped

    def _token_columns(self) -> Iterator[dict[str, Array]]:
        """The tokens' descriptions in chunks, from the table or made up."""
        if self._table is None:
            for start in range(0, self.n_rows, BLOCK_ROWS):
                number = np.arange(start, min(start + BLOCK_ROWS, self.n_rows), dtype=np.int64)
                unknown = np.full(len(number), NULL, np.int32)
                yield {
                    "token_index": number,
                    "doc_id": np.zeros(len(number), np.int64),
                    "position_in_doc": unknown,
                    "token_id": unknown,
                }
            return
        first_row = 0
        for table in iter_tables(self._table, TABLE_COLUMNS, BLOCK_ROWS):
            if not table.num_rows:
                continue
            yield token_columns(table, self._texts, source=str(self._table), first_row=first_row)
            first_row += table.num_rows


def read_matrix(path: Path, *, n_latents: int) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """indptr, indices and data of a CSR matrix; a CSC matrix is turned.

    Raises
    ------
    InputError
        No file of scipy.sparse.save_npz, another format or shape, or arrays that don't fit together.

    """
    arrays = read_members(path, MEMBERS)
    kind = format_name(arrays["format"])
    if kind not in ("csr", "csc"):
        raise InputError(f"{path} holds a matrix of format {kind!r}; save it as matrix.tocsr()")
    shape = whole_numbers(arrays["shape"], "shape", path).tolist()
    if len(shape) != 2 or shape[1] != n_latents:
        turned = "; it looks transposed" if len(shape) == 2 and shape[0] == n_latents else ""
        raise InputError(
            f"{path} has the shape {' x '.join(map(str, shape))}, expected tokens x activations.n_latents = "
            f"{n_latents}{turned}"
        )
    if arrays["data"].dtype.kind not in "iuf":
        raise InputError(f"{path}: data holds {arrays['data'].dtype}, expected float16 or float32")
    if arrays["indices"].dtype.kind not in "iu":
        raise InputError(f"{path}: indices holds {arrays['indices'].dtype}, expected integers")
    indptr = whole_numbers(arrays["indptr"], "indptr", path)
    indices, data = arrays["indices"], arrays["data"]
    major, minor = shape if kind == "csr" else shape[::-1]
    flat = indices.ndim == data.ndim == 1
    sound = flat and len(indptr) == major + 1 and indptr[0] == 0 and indptr[-1] == len(indices) == len(data)
    if not sound or np.any(np.diff(indptr) < 0):
        raise InputError(f"{path}: indptr, indices and data don't fit together; save the matrix anew with scipy")
    if kind == "csr":
        return indptr, indices, data
    whole_numbers(indices, "indices", path)
    if len(indices) and indices.max() >= minor:
        raise InputError(f"{path}: row index {indices.max()} is not in 0..{minor - 1}; save the matrix anew with scipy")
    if minor > MAX_EMPTY_ROWS * (len(indices) + 1_000):
        raise InputError(f"{path} has {minor:,} rows for {len(indices):,} entries; save the matrix anew with scipy")
    return turn(indptr, indices, data, n_rows=minor)


def format_name(array: Array) -> str:
    """What ``save_npz`` wrote as the matrix's format; some other text where that is not what was written."""
    value = array.item() if array.size == 1 else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def turn(
    indptr: npt.NDArray[np.int64], indices: Array, data: Array, *, n_rows: int
) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """CSC arrays as CSR arrays; within a row the columns ascend, since CSC lists columns in order."""
    columns = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    order = np.argsort(indices, kind="stable")
    counts = np.bincount(indices, minlength=n_rows)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), columns[order], data[order]
