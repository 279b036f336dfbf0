"""Building the feature-major index: which tokens each latent fires on, and how strongly.

The shards are read once. Blocks of consecutive tokens are decoded, checked and sorted by latent, in threads side by
side, and kept while they fit into memory; then they are merged into a run on disk, in files without names beside the
index. At the end all that is kept and on disk is merged into the index. Files are written and read from front to back,
so that any file system will do. The work is linear in the entries; memory does not grow with them, but for the postings
of a single latent. Beyond the bound of memory, the disk holds most postings twice for a while.
"""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

from coactivation_manifolds.activations.activation_reader import read_listed_part, read_manifests
from coactivation_manifolds.activations.index_tokens import TokensFile
from coactivation_manifolds.activations.posting_lists import Counts
from coactivation_manifolds.activations.posting_runs import (
    VALUE_BITS,
    PostingRun,
    SpilledColumn,
    merged_starts,
    sort_by_latent,
    write_merged,
)
from coactivation_manifolds.activations.token_rows import TokenRows
from coactivation_manifolds.storage import PathLike, atomic_path, write_array

ENTRIES_IN_MEMORY = 200_000_000
"""Postings kept in memory: 6 bytes each (10 beyond 2^32 tokens), so 1.2 GB."""

ENTRIES_PER_BLOCK = 2_000_000
"""Entries that a thread sorts at once."""

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Block(NamedTuple):
    """Consecutive parts that are sorted together: manifest and listing of each, and the row of the first token."""

    parts: list[tuple[PathLike, dict[str, Any]]]
    first_row: int


def build_index(
    manifest_paths: Sequence[PathLike],
    *,
    offsets_path: PathLike,
    token_rows_path: PathLike,
    values_path: PathLike,
    tokens_path: PathLike,
    threads: int = 1,
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
    threads
        Blocks that are read side by side. The files do not depend on it.
    entries_in_memory
        Bound on the postings kept in memory. The files do not depend on it.

    Raises
    ------
    ResultsError
        Shards of different runs, or a part that was changed.

    """
    manifests = read_manifests(manifest_paths)
    n_latents = int(manifests[0]["n_latents"])
    n_tokens = sum(int(manifest["n_tokens"]) for manifest in manifests)
    row_type = np.dtype(np.uint32 if n_tokens <= 2**32 else np.uint64)

    def sort_block(block: Block) -> tuple[list[TokenRows], PostingRun]:
        # decoding columns in Arrow's threads as well would only make the threads wait for one another
        parts = [read_listed_part(path, part, n_latents=n_latents, use_threads=False) for path, part in block.parts]
        return parts, sort_by_latent(parts, first_row=block.first_row, n_latents=n_latents, row_type=row_type)

    with ExitStack() as files, ThreadPoolExecutor(threads) as pool:
        tokens_file = files.enter_context(atomic_path(tokens_path))
        runs = PostingRuns(n_latents, row_type, entries_in_memory, folder=tokens_file.parent, files=files)
        with TokensFile(tokens_file) as tokens:
            blocks = plan_blocks(manifest_paths, manifests, min(ENTRIES_PER_BLOCK, entries_in_memory))
            for parts, run in map_ahead(pool, sort_block, blocks, ahead=2 * threads):
                for rows in parts:
                    tokens.add(rows)
                runs.add(run, pool=pool)
        offsets = runs.starts()
        rows_file = open_array(files, token_rows_path, row_type, int(offsets[-1]))
        values_file = open_array(files, values_path, np.dtype(np.float16), int(offsets[-1]))
        runs.write(rows_file, values_file, pool=pool)
        write_array(offsets, offsets_path)
    logger.info("index of %d tokens, %d latents, %d postings", n_tokens, n_latents, offsets[-1])


def plan_blocks(
    manifest_paths: Sequence[PathLike], manifests: Sequence[dict[str, Any]], entries: int
) -> Iterator[Block]:
    """All parts of all shards in order, so many together that they hold at least ``entries``."""
    parts: list[tuple[PathLike, dict[str, Any]]] = []
    row, first_row, held = 0, 0, 0
    for path, manifest in zip(manifest_paths, manifests, strict=True):
        for part in manifest["parts"]:
            parts.append((path, part))
            row += int(part["rows"])
            held += int(part["entries"])
            if held >= entries:
                yield Block(parts, first_row)
                parts, first_row, held = [], row, 0
    if parts:
        yield Block(parts, first_row)


def map_ahead(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """What ``function`` gives for each item, in order; at most ``ahead`` are computed before they are asked for."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


class PostingRuns:
    """Runs of consecutive tokens: the last ones in memory, those before in files, which go when ``files`` closes."""

    def __init__(
        self, n_latents: int, row_type: np.dtype[Any], entries_in_memory: int, *, folder: Path, files: ExitStack
    ) -> None:
        self._n_latents = n_latents
        self._row_type = row_type
        self._bound = entries_in_memory
        self._folder = folder
        self._files = files
        self._spilled: list[PostingRun] = []
        self._kept: list[PostingRun] = []
        self._n_kept = 0

    def add(self, run: PostingRun, *, pool: ThreadPoolExecutor) -> None:
        """Append a run in memory; where it does not fit beside the others there, those go to disk."""
        size = int(run.starts[-1]) + len(run.starts)
        if self._kept and self._n_kept + size > self._bound:
            self._spill(pool)
        self._kept.append(run)
        self._n_kept += size

    def starts(self) -> Counts:
        """Where each latent's postings begin when all runs are one, and the end, int64 [n_latents + 1]."""
        return merged_starts([*self._spilled, *self._kept], self._n_latents)

    def write(self, rows_file: IO[bytes], values_file: IO[bytes], *, pool: ThreadPoolExecutor) -> None:
        """Append the postings of all runs to two files, ordered by latent, then token row."""
        self._merge([*self._spilled, *self._kept], rows_file, values_file, pool)

    def _spill(self, pool: ThreadPoolExecutor) -> None:
        """Merge what is in memory into a run on disk."""
        rows_file, values_file = (unnamed_file(self._files, self._folder) for _ in range(2))
        starts = self._merge(self._kept, rows_file, values_file, pool)
        rows, values = SpilledColumn(rows_file, self._row_type), SpilledColumn(values_file, VALUE_BITS)
        self._spilled.append(PostingRun(starts, rows, values))
        self._kept, self._n_kept = [], 0
        logger.info("%d postings went to disk", starts[-1])

    def _merge(
        self, runs: Sequence[PostingRun], rows_file: IO[bytes], values_file: IO[bytes], pool: ThreadPoolExecutor
    ) -> Counts:
        """Write both columns of runs together, side by side; where each latent's postings begin."""
        starts = merged_starts(runs, self._n_latents)
        rows = [(run.starts, run.token_rows) for run in runs]
        values = [(run.starts, run.values) for run in runs]
        tasks = [
            pool.submit(write_merged, rows, starts, rows_file, self._row_type),
            pool.submit(write_merged, values, starts, values_file, VALUE_BITS),
        ]
        for task in tasks:
            task.result()
        return starts


def unnamed_file(files: ExitStack, folder: Path) -> IO[bytes]:
    """A file that nobody else sees and that is gone when ``files`` closes, or when the process dies."""
    return files.enter_context(tempfile.TemporaryFile(dir=folder))


def open_array(files: ExitStack, path: PathLike, dtype: np.dtype[Any], length: int) -> IO[bytes]:
    """Open a .npy file of a known length for writing from front to back; it is renamed when ``files`` closes."""
    handle = files.enter_context(files.enter_context(atomic_path(path)).open("wb"))
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(handle, header)
    handle.flush()
    return handle
