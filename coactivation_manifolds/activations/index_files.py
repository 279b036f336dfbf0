"""The files of an index: opening the tokens' descriptions, and whether the four files belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from coactivation_manifolds.errors import InputError, ResultsError
from coactivation_manifolds.schemas import INDEX_TOKENS
from coactivation_manifolds.storage import FORMAT_KEY, check_format_version

ENDS_CHECKED = 64
"""Posting lists of which the end is looked at when an index is opened, about."""


def open_tokens(path: Path) -> pa.Table:
    """An index's tokens.arrow, memory-mapped.

    Raises
    ------
    InputError
        Missing or damaged.

    """
    if not path.exists():
        raise InputError(f"{path} does not exist; make it first with: snakemake {path}")
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is damaged or no Arrow file ({error}); delete it and make it anew") from error
    check_format_version((table.schema.metadata or {}).get(FORMAT_KEY), path)
    return table


def check_together(
    folder: Path,
    offsets: npt.NDArray[Any],
    token_rows: npt.NDArray[Any],
    values: npt.NDArray[Any],
    tokens: pa.Table,
) -> None:
    """Stop unless the four files can be of one index; looks at sizes and ends only, so that it costs nothing."""
    sound = (
        offsets.dtype == np.int64
        and offsets.ndim == 1
        and len(offsets) > 1
        and offsets[0] == 0
        and bool(np.all(np.diff(offsets) >= 0))
        and token_rows.dtype in (np.uint32, np.uint64)
        and values.dtype == np.float16
        and len(token_rows) == len(values) == offsets[-1]
        and tokens.schema.equals(INDEX_TOKENS)
    )
    if sound:
        # the last posting of a latent is its largest row; each that is looked at costs reading a page
        ends = offsets[1:][np.diff(offsets) > 0] - 1
        some = ends[:: max(1, len(ends) // ENDS_CHECKED)]
        sound = not len(some) or int(token_rows[some].max()) < tokens.num_rows
    if not sound:
        raise ResultsError(
            f"the files of {folder} do not belong together; delete the folder and make it anew with: "
            f"snakemake {folder / 'feature_offsets.npy'}"
        )
