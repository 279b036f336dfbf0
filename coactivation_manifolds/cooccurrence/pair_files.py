"""Files of pair counts: written by shard, read together by ranges of feature_a in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from coactivation_manifolds.cooccurrence.pair_counts import PairCounts
from coactivation_manifolds.schemas import CANDIDATES, PAIR_COUNTS, conform
from coactivation_manifolds.storage import (
    PathLike,
    atomic_path,
    damaged,
    open_table,
    open_table_writer,
    read_table,
    write_table,
)

ROW_GROUP = 1 << 16
ROWS_PER_RANGE = 1 << 24
"""Pairs of all files held at once: 16 bytes each and as much again to sort them."""

Keys = npt.NDArray[np.uint64]


def pair_keys(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Keys:
    """One number for each pair, a in the high and b in the low 32 bits: ordered as (a, b)."""
    keys: Keys = (a.astype(np.uint64) << np.uint64(32)) | b.astype(np.uint64)
    return keys


def split_keys(keys: Keys) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The pairs of ``pair_keys``."""
    return (keys >> np.uint64(32)).astype(np.uint32), (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def write_pair_counts(pairs: PairCounts, path: PathLike, *, metadata: dict[str, str] | None = None) -> None:
    """Write counts ordered by (feature_a, feature_b), in row groups small enough to read a range of feature_a."""
    table = conform({"feature_a": pairs.a, "feature_b": pairs.b, "n_ab": pairs.n_ab}, PAIR_COUNTS)
    write_table(table, path, row_group_size=ROW_GROUP, metadata=metadata)


def iter_ranges(
    paths: Sequence[PathLike], *, rows_per_range: int = ROWS_PER_RANGE
) -> Iterator[tuple[Keys, npt.NDArray[np.int64]]]:
    """Read files of pair counts together, one range of feature_a after the other.

    Gives the keys and counts of all files in a range, unsorted, a pair as often as files hold it. At most one file is
    open at a time. A range holds about ``rows_per_range`` rows, more where one latent alone has more.

    Raises
    ------
    InputError
        A file is missing or damaged.

    """
    groups = [_row_groups(path) for path in paths]
    bounds = _range_bounds(np.concatenate([np.zeros((0, 3), np.int64), *groups]), rows_per_range)
    for low, high in pairwise(bounds):
        keys, counts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for path, group in zip(paths, groups, strict=True):
            wanted = np.flatnonzero((group[:, 0] < high) & (group[:, 1] >= low)).tolist()
            if not wanted:
                continue
            with open_table(path) as parquet:
                try:
                    table = parquet.read_row_groups(wanted, columns=PAIR_COUNTS.names)
                except (pa.ArrowInvalid, OSError) as error:
                    raise damaged(path, error) from error
            a = table["feature_a"].to_numpy()
            inside = (a >= low) & (a < high)
            keys.append(pair_keys(a[inside], table["feature_b"].to_numpy()[inside]))
            counts.append(table["n_ab"].to_numpy()[inside])
        yield np.concatenate(keys), np.concatenate(counts)


def iter_summed_ranges(paths: Sequence[PathLike], *, rows_per_range: int = ROWS_PER_RANGE) -> Iterator[PairCounts]:
    """The files' counts added up: pairs ordered by (a, b), one range of feature_a after the other."""
    for keys, counts in iter_ranges(paths, rows_per_range=rows_per_range):
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
        sums = np.add.reduceat(counts[order], first) if len(first) else np.zeros(0, np.int64)
        yield PairCounts(*split_keys(keys[first]), sums)


def write_union(paths: Sequence[PathLike], path: PathLike, *, rows_per_range: int = ROWS_PER_RANGE) -> int:
    """Write the pairs that any of the files holds, ordered, each once; returns their number."""
    total = 0
    with atomic_path(path) as temporary, open_table_writer(temporary, CANDIDATES) as writer:
        for keys, _ in iter_ranges(paths, rows_per_range=rows_per_range):
            a, b = split_keys(np.unique(keys))
            writer.write_table(conform({"feature_a": a, "feature_b": b}, CANDIDATES), row_group_size=ROW_GROUP)
            total += len(a)
    return total


def _row_groups(path: PathLike) -> npt.NDArray[np.int64]:
    """Smallest and largest feature_a and number of rows of each row group, int64 [groups, 3]."""
    with open_table(path) as parquet:
        metadata: pq.FileMetaData = parquet.metadata
        column = parquet.schema_arrow.get_field_index("feature_a")
        found = []
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            statistics = group.column(column).statistics
            if group.num_rows:
                found.append((int(statistics.min), int(statistics.max), group.num_rows))
    return np.array(found, np.int64).reshape(-1, 3)


def _range_bounds(groups: npt.NDArray[np.int64], rows_per_range: int) -> list[int]:
    """Cut feature_a where the row groups that end before hold ``rows_per_range`` rows or more since the last cut."""
    if not len(groups):
        return []
    ends, place = np.unique(groups[:, 1], return_inverse=True)
    rows = np.bincount(place.reshape(-1), weights=groups[:, 2]).astype(np.int64)
    bounds, held = [0], 0
    for end, count in zip(ends.tolist(), rows.tolist(), strict=True):
        held += count
        if held >= rows_per_range:
            bounds.append(end + 1)
            held = 0
    if bounds[-1] <= int(ends[-1]):
        bounds.append(int(ends[-1]) + 1)
    return bounds


def counts_table(path: PathLike) -> PairCounts:
    """One file of pair counts, whole."""
    table = read_table(path, columns=PAIR_COUNTS.names)
    return PairCounts(*(table[name].to_numpy() for name in PAIR_COUNTS.names))
