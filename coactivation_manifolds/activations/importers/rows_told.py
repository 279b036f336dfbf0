"""How many tokens an input holds, as far as its files say it without being read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coactivation_manifolds.activations.importers.npz_files import read_members, whole_numbers
from coactivation_manifolds.activations.importers.source import find_input_files
from coactivation_manifolds.errors import CoactivationError
from coactivation_manifolds.storage import open_table


def rows_told(settings: Mapping[str, Any]) -> int | None:
    """Tokens by the footers of Parquet files or by a sparse matrix's shape; None where only reading would tell.

    None also where a file is damaged: the import says what is wrong.

    Parameters
    ----------
    settings
        The ``activations`` section: format and path.

    """
    try:
        if settings["format"] == "parquet":
            rows = 0
            for path in find_input_files(settings["path"], ".parquet"):
                with open_table(path) as parquet:
                    rows += parquet.metadata.num_rows
            return rows
        if settings["format"] == "csr":
            path = find_input_files(settings["path"], ".npz")[0]
            shape = whole_numbers(read_members(path, ["shape"])["shape"], "shape", path).tolist()
            return int(shape[0]) if shape else None
    except (CoactivationError, OSError):
        return None
    return None
