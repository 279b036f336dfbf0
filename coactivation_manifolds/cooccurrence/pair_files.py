"""Files of pair counts: written by shard, read together by ranges of feature_a in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from coactivation_manifolds.cooccurrence.floor import Fraction, exact_fraction
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.schemas import PAIR_COUNTS, conform
from coactivation_manifolds.storage import (
    PathLike,
    damaged,
    open_table,
    read_table,
    write_table,
)

ROW_GROUP = 1 << 14
ROWS_PER_RANGE = 1 << 23
"""Rows of all files held at once: 16 bytes each, and up to 80 while they are sorted."""
NOWHERE = (1 << 40, -1)
"""Span of a row group without rows."""
FLOOR_KEY = "jaccard_floor"
"""Key of a footer: the floor that the pairs reach within their shard."""

Keys = npt.NDArray[np.uint64]


def pair_keys(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Keys:
    """One number for each pair, a in the high and b in the low 32 bits: ordered as (a, b)."""
    keys: Keys = (a.astype(np.uint64) << np.uint64(32)) | b.astype(np.uint64)
    return keys


def split_keys(keys: Keys) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The pairs of ``pair_keys``."""
    return (keys >> np.uint64(32)).astype(np.uint32), (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def write_pair_counts(pairs: PairCounts, path: PathLike, *, jaccard_floor: float | None = None) -> None:
    """Write counts ordered by (feature_a, feature_b), in row groups small enough to read a range of feature_a.

    ``jaccard_floor``, where given, is the floor that all pairs of the shard that are left out are below.
    """
    table = conform({"feature_a": pairs.a, "feature_b": pairs.b, "n_ab": pairs.n_ab}, PAIR_COUNTS)
    metadata = None if jaccard_floor is None else {FLOOR_KEY: str(jaccard_floor)}
    write_table(table, path, row_group_size=ROW_GROUP, metadata=metadata)


def stated_floor(path: PathLike) -> str | None:
    """The floor that a file of pair counts says it was made with, if it says any."""
    with open_table(path) as parquet:
        stated = (parquet.schema_arrow.metadata or {}).get(FLOOR_KEY.encode())
    return None if stated is None else stated.decode()


def check_same_floor(paths: Sequence[PathLike], floor: Fraction) -> None:
    """Stop where a shard was counted with a higher floor than is asked for now: pairs would be missing.

    Raises
    ------
    ResultsError
        Names the file.

    """
    for path in paths:
        stated = stated_floor(path)
        if stated is None:
            continue
        p, q = exact_fraction(stated, name=FLOOR_KEY)
        if p * floor[1] > floor[0] * q:
            raise ResultsError(
                f"{path} was counted with jaccard_floor = {stated}, above {floor[0] / floor[1]} as asked for: "
                "delete it and run the same command again"
            )


class FileRows(NamedTuple):
    """The rows that one file has in a range: its number in the list of files, their keys (ascending) and counts."""

    number: int
    keys: Keys
    n_ab: npt.NDArray[np.int64]


def iter_ranges(paths: Sequence[PathLike], *, rows_per_range: int = ROWS_PER_RANGE) -> Iterator[list[FileRows]]:
    """Read files of pair counts together, one range of feature_a after the other.

    At most one file is open at a time. A range holds at most ``rows_per_range`` rows of all files together, more where
    one latent alone has more; beside them, one file's row groups that reach over the range are held.

    Raises
    ------
    InputError
        A file is missing or damaged.

    """
    spans, rows = [], np.zeros(0, np.int64)
    for path in paths:
        span, rows_of_file = _layout(path)
        spans.append(span)
        rows = _added(rows, rows_of_file)
    for low, high in pairwise(_range_bounds(rows, rows_per_range)):
        found = []
        for number, (path, span) in enumerate(zip(paths, spans, strict=True)):
            wanted = np.flatnonzero((span[:, 0] < high) & (span[:, 1] >= low)).tolist()
            if wanted:
                found.append(FileRows(number, *_read_range(path, wanted, low, high)))
        yield found


def sum_by_key(keys: Sequence[Keys], values: Sequence[npt.NDArray[np.int64]]) -> tuple[Keys, npt.NDArray[np.int64]]:
    """The distinct keys, ascending, and the sum of the values of each."""
    joined = np.concatenate([np.zeros(0, np.uint64), *keys])
    order = np.argsort(joined)
    joined = joined[order]
    ordered = np.concatenate([np.zeros(0, np.int64), *values])[order]
    first = np.flatnonzero(np.concatenate([[True], joined[1:] != joined[:-1]])[: len(joined)])
    return joined[first], np.add.reduceat(ordered, first) if len(first) else ordered


def iter_summed_ranges(paths: Sequence[PathLike], *, rows_per_range: int = ROWS_PER_RANGE) -> Iterator[PairCounts]:
    """The files' counts added up: pairs ordered by (a, b), one range of feature_a after the other."""
    for files in iter_ranges(paths, rows_per_range=rows_per_range):
        keys, sums = sum_by_key([rows.keys for rows in files], [rows.n_ab for rows in files])
        yield PairCounts(*split_keys(keys), sums)


def _read_range(path: PathLike, groups: list[int], low: int, high: int) -> tuple[Keys, npt.NDArray[np.int64]]:
    """Keys and counts of the rows of some row groups with low <= feature_a < high."""
    with open_table(path) as parquet:
        try:
            table = parquet.read_row_groups(groups, columns=PAIR_COUNTS.names, use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(path, error) from error
    a, b, n_ab = (table[name].to_numpy() for name in PAIR_COUNTS.names)
    inside = slice(*np.searchsorted(a, [low, high]).tolist())
    return pair_keys(a[inside], b[inside]), n_ab[inside]


def _layout(path: PathLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Smallest and largest feature_a of each row group, int64 [groups, 2], and the rows of each feature_a."""
    rows = np.zeros(0, np.int64)
    with open_table(path) as parquet:
        metadata: pq.FileMetaData = parquet.metadata
        column = parquet.schema_arrow.get_field_index("feature_a")
        groups = [metadata.row_group(number).column(column).statistics for number in range(metadata.num_row_groups)]
        span = [
            (int(group.min), int(group.max)) if group is not None and group.has_min_max else NOWHERE for group in groups
        ]
        try:
            for batch in parquet.iter_batches(columns=["feature_a"], use_threads=False):
                rows = _added(rows, np.bincount(batch["feature_a"].to_numpy()))
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(path, error) from error
    return np.array(span, np.int64).reshape(-1, 2), rows


def _added(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of two arrays, the shorter one continued by zeros."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    total = longer.copy()
    total[: len(shorter)] += shorter
    return total


def _range_bounds(rows: npt.NDArray[np.int64], rows_per_range: int) -> list[int]:
    """Cut feature_a so that each range holds as many rows as fit into ``rows_per_range``, at least one latent's.

    ``rows`` are those of each latent, int64 [n_latents].
    """
    ends = np.cumsum(rows)
    bounds = [0]
    while bounds[-1] < len(rows):
        before = ends[bounds[-1] - 1] if bounds[-1] else 0
        fitting = int(np.searchsorted(ends, before + rows_per_range, side="right"))
        bounds.append(max(fitting, bounds[-1] + 1))
    return bounds if len(rows) else []


def counts_table(path: PathLike) -> PairCounts:
    """One file of pair counts, whole."""
    table = read_table(path, columns=PAIR_COUNTS.names)
    return PairCounts(*(table[name].to_numpy() for name in PAIR_COUNTS.names))
