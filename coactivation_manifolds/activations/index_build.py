"""Building the feature-major index: which tokens each latent fires on, and how strongly.

The latents are taken in ranges whose postings fit into memory. For each range the parts are read once, and each entry
is put where the counts say: no sorting of the whole, and files are written from front to back, so that any file system
will do. One range suffices for about two hundred million entries; memory does not grow with the number of tokens, but
for the postings of a single latent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.activations.activation_reader import iter_parts, read_manifests
from coactivation_manifolds.activations.token_rows import NULL, TokenRows
from coactivation_manifolds.schemas import INDEX_TOKENS
from coactivation_manifolds.storage import FORMAT_KEY, FORMAT_VERSION, PathLike, atomic_path, write_array

ENTRIES_IN_MEMORY = 200_000_000
"""Postings held at once: 6 to 10 bytes each, so at most 2 GB."""

TOKENS_PER_BATCH = 262_144
"""Rows of one record batch of tokens.arrow, whatever the shards and parts."""

logger = logging.getLogger(__name__)

Counts = npt.NDArray[np.int64]


def build_index(
    manifest_paths: Sequence[PathLike],
    *,
    offsets_path: PathLike,
    token_rows_path: PathLike,
    values_path: PathLike,
    tokens_path: PathLike,
    entries_in_memory: int = ENTRIES_IN_MEMORY,
) -> None:
    """Turn the shards into postings.

    Parameters
    ----------
    manifest_paths
        Manifests of all shards, in order; a token's row is its place in their concatenation.
    offsets_path
        int64 [n_latents + 1]: latent f owns the postings offsets[f]:offsets[f + 1].
    token_rows_path
        uint32 (uint64 beyond 2^32 tokens): the postings' token rows, ascending within a latent.
    values_path
        float16: the postings' activations.
    tokens_path
        Arrow IPC file of the tokens' descriptions, one row a token.
    entries_in_memory
        Bound on the postings held at once. The files do not depend on it.

    Raises
    ------
    ResultsError
        Shards of different runs, or a part that was changed.

    """
    manifests = read_manifests(manifest_paths)
    n_latents = int(manifests[0]["n_latents"])
    n_tokens = sum(int(manifest["n_tokens"]) for manifest in manifests)
    with ExitStack() as files:
        tokens_file = files.enter_context(atomic_path(tokens_path))
        counts = write_tokens(manifest_paths, tokens_file, n_latents=n_latents)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        row_type = np.dtype(np.uint32 if n_tokens <= 2**32 else np.uint64)
        rows_file = open_array(files, token_rows_path, row_type, int(offsets[-1]))
        values_file = open_array(files, values_path, np.dtype(np.float16), int(offsets[-1]))
        for first, last in latent_ranges(counts, entries_in_memory):
            logger.info("postings of latents %d to %d of %d", first, last - 1, n_latents)
            token_rows, values = gather_postings(manifest_paths, offsets[first : last + 1], first, row_type)
            token_rows.tofile(rows_file)
            values.tofile(values_file)
        write_array(offsets, offsets_path)
    logger.info("index of %d tokens, %d latents, %d postings", n_tokens, n_latents, offsets[-1])


def iter_all_parts(manifest_paths: Sequence[PathLike], *, verify: bool) -> Iterator[tuple[int, TokenRows]]:
    """All parts of all shards in order, each with the row of its first token."""
    first_row = 0
    for path in manifest_paths:
        for rows in iter_parts(path, verify=verify):
            yield first_row, rows
            first_row += rows.n_tokens


def write_tokens(manifest_paths: Sequence[PathLike], path: Path, *, n_latents: int) -> Counts:
    """Write tokens.arrow and count each latent's firings, int64 [n_latents], in one pass that checks all hashes."""
    counts = np.zeros(n_latents, np.int64)
    schema = INDEX_TOKENS.with_metadata({FORMAT_KEY: str(FORMAT_VERSION).encode()})
    pending: list[list[npt.NDArray[Any]]] = []
    n_pending = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for _, rows in iter_all_parts(manifest_paths, verify=True):
            counts += np.bincount(rows.feature_ids, minlength=n_latents)
            pending.append([rows.doc_id, rows.token_index, rows.position_in_doc, rows.token_id])
            n_pending += rows.n_tokens
            if n_pending < TOKENS_PER_BATCH:
                continue
            joined = [np.concatenate(column) for column in zip(*pending, strict=True)]
            full = n_pending - n_pending % TOKENS_PER_BATCH
            for start in range(0, full, TOKENS_PER_BATCH):
                writer.write_batch(token_batch([column[start : start + TOKENS_PER_BATCH] for column in joined], schema))
            pending = [[column[full:] for column in joined]]
            n_pending -= full
        if n_pending:
            writer.write_batch(token_batch([np.concatenate(column) for column in zip(*pending, strict=True)], schema))
    return counts


def token_batch(columns: Sequence[npt.NDArray[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """The descriptions of tokens as a record batch; -1 becomes null in the two columns that may be unknown."""
    arrays = []
    for values, field in zip(columns, schema, strict=True):
        unknown = values == NULL if field.name in ("position_in_doc", "token_id") else None
        # a mask without a null would leave a bitmap in the file or not, by the way the array came about
        arrays.append(pa.array(values, field.type, mask=unknown if unknown is not None and unknown.any() else None))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def open_array(files: ExitStack, path: PathLike, dtype: np.dtype[Any], length: int) -> IO[bytes]:
    """Open a .npy file of a known length for writing from front to back; it is renamed when ``files`` closes."""
    handle = files.enter_context(files.enter_context(atomic_path(path)).open("wb"))
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(handle, header)
    handle.flush()
    return handle


def latent_ranges(counts: Counts, entries_in_memory: int) -> Iterator[tuple[int, int]]:
    """Ranges [first, last) of latents with at most so many postings together, or one latent alone."""
    first, held = 0, 0
    for latent, count in enumerate(counts.tolist()):
        if held and held + count > entries_in_memory:
            yield first, latent
            first, held = latent, 0
        held += count
    yield first, len(counts)


def gather_postings(
    manifest_paths: Sequence[PathLike], offsets: Counts, first_latent: int, row_type: np.dtype[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float16]]:
    """Token rows and values of a range of latents, ordered by latent, then token row.

    ``offsets`` int64 [latents + 1] are those of the range in the whole index.
    """
    n_range = len(offsets) - 1
    size = int(offsets[-1] - offsets[0])
    token_rows, values = np.empty(size, row_type), np.empty(size, np.float16)
    following = offsets[:-1] - offsets[0]
    for first_row, rows in iter_all_parts(manifest_paths, verify=False):
        chosen, row_of_entry, activations = rows.feature_ids, rows.row_of_entries(), rows.activations
        if n_range != rows.n_latents:
            inside = (chosen >= first_latent) & (chosen < first_latent + n_range)
            chosen = chosen[inside] - chosen.dtype.type(first_latent)
            row_of_entry, activations = row_of_entry[inside], activations[inside]
        # within a latent the stable sort keeps the tokens' order; 16-bit ids are sorted by radix
        order = np.argsort(chosen, kind="stable")
        count = np.bincount(chosen, minlength=n_range)
        place = np.repeat(following - (np.cumsum(count) - count), count) + np.arange(len(chosen))
        token_rows[place] = first_row + row_of_entry[order]
        values[place] = activations[order]
        following += count
    return token_rows, values
