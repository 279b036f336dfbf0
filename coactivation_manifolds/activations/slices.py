"""Cutting chosen latents out of an experiment, as a file for other tools."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.schemas import ACTIVATIONS_DICTIONARY, slice_schema
from coactivation_manifolds.storage import PathLike, atomic_path, open_table_writer

logger = logging.getLogger(__name__)


def write_slice(index: FeatureIndex, feature_ids: Sequence[int], out_path: PathLike) -> int:
    """Write the tokens on which any of the latents fires, with these latents only, as Parquet, block by block.

    The columns are those of ``FeatureIndex.table``; the file can be imported again (``format: parquet``).

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    InputError
        No such latent, or one is named twice.
    StorageError
        The file can't be written.

    """
    n_rows = 0
    with (
        atomic_path(out_path) as temporary,
        open_table_writer(
            temporary, slice_schema(index.n_latents), dictionary_columns=ACTIVATIONS_DICTIONARY
        ) as writer,
    ):
        for table in index.iter_tables(feature_ids):
            writer.write_table(table)
            n_rows += table.num_rows
    logger.info("%d tokens with any of %d latents written to %s", n_rows, len(feature_ids), out_path)
    return n_rows
