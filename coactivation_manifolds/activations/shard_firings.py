"""Which latents fire on each token of a shard, without values and the tokens' descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.activations.activation_reader import read_manifest
from coactivation_manifolds.activations.row_checks import list_column, nullable_column
from coactivation_manifolds.activations.token_rows import check_positions_known, feature_id_dtype
from coactivation_manifolds.errors import ResultsError
from coactivation_manifolds.storage import PathLike, damaged, open_table


class Firings(NamedTuple):
    """Token-major CSR, int64 [n_tokens + 1] and unsigned [n_entries]: token t owns offsets[t]:offsets[t + 1]."""

    offsets: npt.NDArray[np.int64]
    feature_ids: npt.NDArray[Any]


def read_firings(manifest_path: PathLike, *, positions: Sequence[int] | None, threads: int = 1) -> Firings:
    """The firings of a shard whose parts an earlier job has read and checked whole.

    Pages are checked, and numbers of rows and entries, but not the hash of the file.

    Parameters
    ----------
    manifest_path
        The shard's manifest; its parts lie beside it.
    positions
        [first, last) positions within the document that count, or None for all.
    threads
        Parts read at once.

    Raises
    ------
    InputError, ResultsError
        A part is missing, damaged, or not the one that the manifest speaks of.

    """
    manifest = read_manifest(manifest_path)
    dtype = feature_id_dtype(manifest["n_latents"])
    lengths, ids = [np.zeros(0, np.int64)], [np.zeros(0, dtype)]

    def read(part: Mapping[str, Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        path = Path(manifest_path).with_name(part["file"])
        return _read_part(path, positions, expected=(part["rows"], part["entries"]))

    with ThreadPoolExecutor(threads) as pool:
        for length, part_ids in pool.map(read, manifest["parts"]):
            lengths.append(length)
            ids.append(part_ids.astype(dtype, copy=False))
    offsets = np.concatenate([np.zeros(1, np.int64), *lengths])
    return Firings(np.cumsum(offsets, out=offsets), np.concatenate(ids))


def _read_part(
    path: Path, positions: Sequence[int] | None, *, expected: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Latents on each token, and their ids, of the tokens that count."""
    with open_table(path) as parquet:
        names = ["feature_ids"] if positions is None else ["feature_ids", "position_in_doc"]
        try:
            table = parquet.read(columns=[name for name in names if name in parquet.schema_arrow.names])
        except (pa.ArrowInvalid, OSError) as error:
            raise damaged(path, error) from error
    offsets, ids = list_column(table, "feature_ids", source=str(path), first_row=0)
    if (len(offsets) - 1, len(ids)) != expected:
        raise ResultsError(
            f"{path} holds {len(offsets) - 1} tokens and {len(ids)} entries, its manifest says {expected[0]} and "
            f"{expected[1]}; delete the manifest and {path} and run the same command again"
        )
    lengths = np.diff(offsets)
    if positions is None:
        return lengths, ids
    position = nullable_column(table, "position_in_doc", source=str(path), first_row=0)
    check_positions_known(position, positions)
    counts = (position >= positions[0]) & (position < positions[1])
    return lengths[counts], ids[np.repeat(counts, lengths)]
