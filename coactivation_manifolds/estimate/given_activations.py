"""How many tokens and entries activations hold that were made elsewhere, without reading them."""

from __future__ import annotations

from pathlib import Path

from coactivation_manifolds.activations.importers.source import find_input_files
from coactivation_manifolds.errors import InputError
from coactivation_manifolds.experiment.config import Config
from coactivation_manifolds.storage import open_table


def count_given(config: Config) -> tuple[int, int] | None:
    """Tokens and entries by the footers of Parquet files; None where the files are elsewhere, or of another format."""
    settings = config["activations"]
    if settings["format"] != "parquet":
        return None
    try:
        files = find_input_files(settings["path"], ".parquet")
    except InputError:
        return None
    counts = [count_rows(path) for path in files]
    return sum(rows for rows, _ in counts), sum(entries for _, entries in counts)


def count_rows(path: Path) -> tuple[int, int]:
    """Rows of a file and elements of its lists of latents (an empty list counts as one)."""
    with open_table(path) as parquet:
        metadata = parquet.metadata
        columns = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
        ids = next((number for number, name in enumerate(columns) if name.startswith("feature_ids.")), None)
        groups = range(metadata.num_row_groups) if ids is not None else ()
        return metadata.num_rows, sum(metadata.row_group(group).column(ids).num_values for group in groups)
